"""The text is the library's, to the byte, whatever was born and counted since the last scrape."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import disable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters import metric_text
from gateway.adapters.metric_families import TOKEN_TYPES, Families
from gateway.adapters.metric_text import Text
from gateway.adapters.metrics import Metrics
from gateway.core.exchange import Outcome


@pytest.fixture(autouse=True)
def without_created_series() -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library forgot its types


def text_of(text: Text) -> str:
    return "".join(text.pieces())


def test_nothing_counted_yet() -> None:
    families = Families()
    assert text_of(Text(families)) == generate_latest(families.registry).decode()


WORDS = st.text(min_size=1, max_size=9) | st.sampled_from(['a"b', "a\\b", "a\nb", "é"])
AMOUNTS = st.floats(min_value=0, max_value=1e15)


@given(st.lists(st.lists(st.tuples(WORDS, WORDS, AMOUNTS), max_size=4), max_size=3))
def test_what_was_counted_between_scrapes(scrapes: list[list[tuple[str, str, float]]]) -> None:
    families = Families()
    text = Text(families)
    for counted in scrapes:
        for tenant, model, amount in counted:
            families.counters["gateway_cost_usd_total", tenant, model].inc(amount)
            families.histograms["gateway_request_duration_seconds", model].observe(amount)
            families.gauges["gateway_ledger_queue_depth",].set(amount)
        assert text_of(text) == generate_latest(families.registry).decode()


def test_streams_are_let_through_between_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    families = Families()
    for number in range(2500):
        families.counters["gateway_cost_usd_total", f"t{number}", "gpt-test"].inc()
    for number in range(100):
        families.histograms["gateway_request_duration_seconds", f"m{number}"].observe(1)
    text = Text(families)
    pieces = list(text.pieces())
    assert max(piece.count("\n") for piece in pieces) == metric_text.PIECE_LINES_MAX
    learning, writing = 2, 3
    assert pauses == [metric_text.PAUSE_SECONDS] * (learning + writing)
    list(text.pieces())
    assert len(pauses) == learning + 2 * writing


def test_500_tenants_with_20_models_stay_within_the_cap() -> None:
    metrics = Metrics(version="1", tenants_max=100)
    for number in range(500):
        metrics.tenant_known(f"org/{number}")
        for model in range(20):
            metrics.tenant_seen(f"org/{number}", f"gpt-{model}")
    found = [
        sample
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    ]
    tenants = {sample.labels.get("tenant") for sample in found}
    assert len(tenants - {None}) == 101
    accounts = 101 * 20
    born = sum({"tenant", "model"} <= set(sample.labels) for sample in found)
    assert born == accounts * (len(Outcome) + len(TOKEN_TYPES) + 2)
    assert len(found) < 30_000
