"""What a settled exchange moves, and what it never may show."""

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.metrics import METRIC_NAMES, Metrics
from gateway.core.cost import CostLine
from gateway.core.exchange import Basis, Exchange, Outcome
from tests.builders import exchange, hold, price, usage

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


def ended(**fields: Any) -> Exchange:
    given = {
        "hold": hold(tenant="acme", is_stream=True, price=price(name="gpt-test")),
        "outcome": Outcome.COMPLETED,
        "basis": Basis.REPORTED,
        "cost_pusd": 5_400_000_000,
        "usage": usage(
            input_tokens=100,
            cached_tokens=40,
            cache_write_tokens=10,
            output_tokens=21,
            reasoning_tokens=6,
        ),
        "duration_seconds": 3.0,
        "first_byte_seconds": 0.5,
        "first_output_seconds": 1.0,
    }
    return exchange(**{**given, **fields})


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", tenants_max=2)


def test_counts_alerts(metrics: Metrics) -> None:
    metrics.alerted("failed")
    assert value(metrics, "gateway_alerts_total", result="failed") == 1
    assert value(metrics, "gateway_alerts_total", result="delivered") == 0


def test_counts_an_exchange(metrics: Metrics) -> None:
    for _ in range(2):
        metrics(ended())
    who = {"tenant": "acme", "model": "gpt-test"}
    assert value(metrics, "gateway_requests_total", **who, outcome="completed") == 2
    assert value(metrics, "gateway_requests_total", **who, outcome="aborted") == 0
    assert value(metrics, "gateway_cost_usd_total", **who) == pytest.approx(0.0108)
    assert value(metrics, "gateway_unpriced_requests_total", model="gpt-test") == 0


def test_token_types_are_disjoint(metrics: Metrics) -> None:
    metrics(ended())
    counted = {
        dict(labels)["type"]: tokens
        for (name, labels), tokens in samples(metrics).items()
        if name == "gateway_tokens_total"
    }
    assert counted == {
        "input": 50,
        "input_cached": 40,
        "input_cache_write": 10,
        "output": 15,
        "output_reasoning": 6,
    }


def test_times_of_a_stream(metrics: Metrics) -> None:
    metrics(ended())
    for name, seconds in (
        ("gateway_request_duration_seconds", 3.0),
        ("gateway_time_to_first_token_seconds", 1.0),
        ("gateway_time_per_output_token_seconds", 0.1),
    ):
        assert value(metrics, f"{name}_sum", model="gpt-test") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "whole",
    [
        ended(hold=hold(is_stream=False, price=price(name="gpt-test"))),
        ended(first_output_seconds=None),
        ended(usage=None),
        ended(usage=usage(output_tokens=1)),
    ],
)
def test_times_between_tokens_need_a_stream_of_them(metrics: Metrics, whole: Exchange) -> None:
    metrics(whole)
    name = "gateway_time_per_output_token_seconds_count"
    assert not value(metrics, name, model="gpt-test")
    assert value(metrics, "gateway_request_duration_seconds_count", model="gpt-test") == 1


def test_an_exchange_without_a_cost_is_told(metrics: Metrics) -> None:
    metrics(
        ended(cost_pusd=None, hold=hold(tenant="acme", price=None, model="gpt-9-from-a-client"))
    )
    assert value(metrics, "gateway_unpriced_requests_total", model="other") == 1
    assert b"gpt-9" not in metrics.render()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"problem": "usage_missing", "outcome": Outcome.COMPLETED}, "usage_missing"),
        ({"outcome": Outcome.ABORTED}, "aborted"),
    ],
)
def test_missing_usage_is_told(metrics: Metrics, fields: dict[str, Any], reason: str) -> None:
    metrics(ended(usage=None, basis=Basis.WORST_CASE, **fields))
    metrics(ended(usage=None, basis=Basis.NONE, outcome=Outcome.FAILED, cost_pusd=0))
    assert value(metrics, "gateway_usage_missing_total", reason=reason) == 1


@pytest.mark.parametrize(("output_tokens", "limit"), [(64, "client"), (128_000, "upstream")])
def test_truncation_says_whose_limit_it_was(
    metrics: Metrics, output_tokens: int, limit: str
) -> None:
    metrics(
        ended(
            outcome=Outcome.INCOMPLETE,
            reason="max_output_tokens",
            usage=usage(output_tokens=output_tokens),
        )
    )
    metrics(ended(outcome=Outcome.INCOMPLETE, reason="content_filter"))
    assert value(metrics, "gateway_truncated_total", model="gpt-test", limit=limit) == 1
    assert value(metrics, "gateway_truncated_total", model="gpt-test", limit="policy") == 0


@pytest.mark.parametrize(
    ("fields", "side", "phase"),
    [
        ({"client_gone": True}, "client", "output"),
        ({"outcome": Outcome.ABORTED, "first_output_seconds": None}, "upstream", "before_output"),
        ({"basis": Basis.RETRIEVED}, "upstream", "output"),
        (
            {
                "outcome": Outcome.ABORTED,
                "first_output_seconds": None,
                "first_byte_seconds": None,
            },
            "upstream",
            "before_answer",
        ),
    ],
)
def test_aborted_streams(metrics: Metrics, fields: dict[str, Any], side: str, phase: str) -> None:
    metrics(ended(**fields))
    metrics(ended())
    aborts = {
        labels: count
        for (name, labels), count in samples(metrics).items()
        if name == "gateway_stream_aborts_total" and count
    }
    assert aborts == {frozenset({("side", side), ("phase", phase)}): 1}


def test_tenants_beyond_the_cap_fold_into_other(metrics: Metrics) -> None:
    for number in range(5):
        metrics(
            structs.replace(ended(), hold=hold(tenant=f"t{number}", price=price(name="gpt-test")))
        )
    counted = {
        dict(labels)["tenant"]: count
        for (name, labels), count in samples(metrics).items()
        if name == "gateway_requests_total" and count
    }
    assert counted == {"t0": 1, "t1": 1, "other": 3}
    assert value(metrics, "gateway_label_overflow_total", label="tenant") == 3


def test_what_the_cache_saved_is_the_difference_of_the_prices(metrics: Metrics) -> None:
    who = {"tenant": "acme", "model": "gpt-test"}
    line = CostLine(meter="input_cached", quantity=40, unit_price_pusd=200_000, cost_pusd=8_000_000)
    metrics(ended(lines=(line,)))
    usd = 40 * (2_000_000 - 200_000) / 1e12
    assert value(metrics, "gateway_cached_saved_usd_total", **who) == pytest.approx(usd)
    metrics(ended(lines=(line,), service_tier="of nobody"))  # without a price nothing is saved
    metrics(ended(lines=(line,), usage=None))
    assert value(metrics, "gateway_cached_saved_usd_total", **who) == pytest.approx(usd)


def test_a_limit_that_a_policy_set_is_told_apart(metrics: Metrics) -> None:
    cut = "max_output_tokens=50"
    for tags, limit in (
        ({"gw_policy": cut}, "policy"),
        ({"gw_policy": "store=false"}, "client"),
        ({"gw_policy": cut, "gw_fitted": "true"}, "budget"),
    ):
        held = hold(tenant="acme", price=price(name="gpt-test"), tags=tags)
        metrics(ended(hold=held, outcome=Outcome.INCOMPLETE, reason="max_output_tokens"))
        assert value(metrics, "gateway_truncated_total", model="gpt-test", limit=limit) == 1


def test_what_a_policy_set_is_counted_by_field(metrics: Metrics) -> None:
    metrics.tenant_seen("acme")
    metrics.clamped("acme", ["max_output_tokens", "store"])
    metrics.clamped("acme", ["store"])
    name = "gateway_clamped_total"
    assert value(metrics, name, tenant="acme", field="store") == 2
    assert value(metrics, name, tenant="acme", field="max_output_tokens") == 1
    assert value(metrics, name, tenant="acme", field="model") == 0


def test_a_tenant_is_born_at_zero(metrics: Metrics) -> None:
    assert metrics.tenant_seen("acme") == ("acme", "other")
    assert value(metrics, "gateway_refusals_total", tenant="acme", reason="policy_denied") == 0
    metrics.tenant_seen("acme", "gpt-test")
    who = {"tenant": "acme", "model": "gpt-test"}
    assert value(metrics, "gateway_requests_total", **who, outcome="failed") == 0
    assert value(metrics, "gateway_cost_usd_total", **who) == 0


def test_refusals_and_answers(metrics: Metrics) -> None:
    metrics.refused("acme", "policy_denied")
    metrics.refused("", "invalid_api_key")
    metrics.http_request("/v1/responses", "POST", 200)
    metrics.http_request("/v1/responses", "BREW", 400)
    assert value(metrics, "gateway_refusals_total", tenant="acme", reason="policy_denied") == 1
    assert value(metrics, "gateway_refusals_total", tenant="", reason="invalid_api_key") == 1
    where = {"route": "/v1/responses"}
    assert value(metrics, "gateway_http_requests_total", **where, method="POST", status="200") == 1
    assert value(metrics, "gateway_http_requests_total", **where, method="other", status="400") == 1


@dataclass(frozen=True)
class Tried:
    duration_seconds: float
    is_committed: bool


def test_the_parts_of_the_gateway(metrics: Metrics) -> None:
    metrics.overhead("hold", 0.001)
    metrics.active("stream", 1)
    metrics.active("stream", 1)
    metrics.active("stream", -1)
    metrics.upstream_attempt("api.openai.com", "answered")
    metrics.upstream_healthy("api.openai.com", is_healthy=True)
    metrics.hold_expired("worst_case")
    metrics.batch(Tried(duration_seconds=0.5, is_committed=True))
    metrics.batch(Tried(duration_seconds=0.5, is_committed=False))
    metrics.watch_queue(lambda: 7)
    metrics.watch_journal(lambda: 11)

    upstream = {"upstream": "api.openai.com"}
    assert value(metrics, "gateway_overhead_seconds_sum", stage="hold") == pytest.approx(0.001)
    assert value(metrics, "gateway_active_requests", kind="stream") == 1
    assert value(metrics, "gateway_upstream_attempts_total", **upstream, result="answered") == 1
    assert value(metrics, "gateway_upstream_healthy", **upstream) == 1
    assert value(metrics, "gateway_holds_expired_total", resolution="worst_case") == 1
    assert value(metrics, "gateway_ledger_batch_seconds_sum") == pytest.approx(1.0)
    assert value(metrics, "gateway_ledger_failures_total") == 1
    assert value(metrics, "gateway_ledger_queue_depth") == 7
    assert value(metrics, "gateway_journal_bytes") == 11


def test_what_is_exposed_is_what_is_promised() -> None:
    totals = {("acme", "today"): 1}
    metrics = Metrics(version="1.2.3", totals=lambda: totals, standings=list)
    text = metrics.render().decode()
    exposed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert exposed == METRIC_NAMES
    assert "_created" not in text
    assert 'gateway_build_info{python="3.' in text
    assert metrics.content_type.startswith("text/plain")


def test_two_of_them_do_not_share(metrics: Metrics) -> None:
    metrics(ended())
    other = Metrics(version="1")
    assert b'tenant="acme"' not in other.render()
