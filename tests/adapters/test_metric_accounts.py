"""What an exchange adds to its account. What else it counts: test_metrics."""

import pytest

from gateway.adapters.metric_accounts import Account
from gateway.adapters.metric_families import Families
from gateway.core.exchange import Outcome
from tests.builders import exchange, hold, usage

LABELS = {"tenant": "acme", "model": "gpt-test"}


@pytest.fixture
def families() -> Families:
    return Families()


@pytest.fixture
def account(families: Families) -> Account:
    return Account(families.counters, families.histograms, *LABELS.values())


def value(families: Families, name: str, **labels: str) -> float | None:
    return families.registry.get_sample_value(name, labels)


def test_an_account_is_born_at_zero(families: Families, account: Account) -> None:
    assert account.model == "gpt-test"
    for outcome in Outcome:
        assert value(families, "gateway_requests_total", outcome=outcome, **LABELS) == 0
    assert value(families, "gateway_cost_usd_total", **LABELS) == 0


def test_an_exchange_adds_its_tokens_its_cost_and_its_times(
    families: Families, account: Account
) -> None:
    account.count(
        exchange(
            hold=hold(is_stream=True),
            usage=usage(input_tokens=10, cached_tokens=4, output_tokens=3),
            cost_pusd=2_500_000_000_000,
            duration_seconds=3.0,
            first_output_seconds=1.0,
        )
    )
    tokens = {
        kind: value(families, "gateway_tokens_total", type=kind, **LABELS)
        for kind in ("input", "input_cached", "output", "output_reasoning")
    }
    assert tokens == {"input": 6, "input_cached": 4, "output": 3, "output_reasoning": 0}
    assert value(families, "gateway_cost_usd_total", **LABELS) == 2.5
    model = {"model": "gpt-test"}
    assert value(families, "gateway_request_duration_seconds_sum", **model) == 3
    assert value(families, "gateway_time_to_first_token_seconds_sum", **model) == 1
    assert value(families, "gateway_time_per_output_token_seconds_sum", **model) == 1


def test_what_has_no_cost_and_no_usage_is_a_request_all_the_same(
    families: Families, account: Account
) -> None:
    account.count(exchange(hold=hold(is_stream=False), usage=None, cost_pusd=None, lines=()))
    assert value(families, "gateway_requests_total", outcome="completed", **LABELS) == 1
    assert value(families, "gateway_cost_usd_total", **LABELS) == 0
    assert value(families, "gateway_time_to_first_token_seconds_count", model="gpt-test") == 0
