"""Gauges that are read at each scrape: exact, folded by the caps, and nobody else's failure."""

import logging
import threading
import time
from typing import Any, NoReturn

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters import metric_readings
from gateway.adapters.metric_families import BUDGETS
from gateway.adapters.metrics import Metrics
from gateway.adapters.standings import Standing
from gateway.core.budget import Account, Budget
from tests.builders import AT_US

USD = 10**12
KEY = "k00000000001"


def standing(*, tenant: str = "acme", **fields: Any) -> Standing:
    given = {"subject": tenant, "period": "month", "models": None, **fields}
    budget = Budget(id="1-a", zone="UTC", is_hard=True, limit_pusd=10 * USD, **given)
    account = Account(
        budget_id="1-a",
        period_start_us=0,
        period_end_us=None if budget.period == "total" else AT_US,
        is_hard=True,
        limit_pusd=10 * USD,
        held_pusd=2 * USD,
        spent_pusd=USD // 2,
        excess_pusd=1,
    )
    return Standing(tenant=tenant, budget=budget, account=account)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Values by name and labels, these in the order of their names."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def told(*standings: Standing, tenants_max: int = 100) -> dict[tuple[str, ...], float]:
    metrics = Metrics(version="1", tenants_max=tenants_max, standings=lambda: standings)
    found = samples(metrics)
    return {key: value for key, value in found.items() if key[0] in BUDGETS}


def names(found: dict[tuple[str, ...], float]) -> set[str]:
    return {budget for name, budget, _ in found if name == "gateway_budget_limit_usd"}


def test_costs_come_from_the_ledger() -> None:
    totals = {("a", "today"): USD, ("a", "month"): 2 * USD, ("b", "today"): 1}
    totals |= {("c", "today"): USD // 2, ("d", "today"): USD}
    found = samples(Metrics(version="1", tenants_max=2, totals=lambda: totals))
    assert found["gateway_cost_usd", "a", "month"] == 2
    assert found["gateway_cost_usd", "b", "today"] == pytest.approx(1e-12)
    assert found["gateway_cost_usd", "other", "today"] == 1.5
    assert found["gateway_label_overflow_total", "tenant"] == 0


def test_a_budgets_figures() -> None:
    assert told(standing()) == {
        ("gateway_budget_limit_usd", "month", "acme"): 10,
        ("gateway_budget_spent_usd", "month", "acme"): 0.5,
        ("gateway_budget_held_usd", "month", "acme"): 2,
        ("gateway_budget_excess_usd", "month", "acme"): 1e-12,
        ("gateway_budget_reset_timestamp_seconds", "month", "acme"): AT_US / 1e6,
    }


def test_a_total_is_never_reset() -> None:
    found = told(standing(period="total"))
    assert {name for name, *_ in found} == {*BUDGETS} - {"gateway_budget_reset_timestamp_seconds"}


def test_a_budgets_name_tells_its_models_and_its_key() -> None:
    found = told(
        standing(),
        standing(models=("a", "b")),
        standing(subject=KEY),
        standing(subject=KEY, period="day", models=("a",)),
    )
    assert names(found) == {"month", "month:a+b", f"month@{KEY}", f"day:a@{KEY}"}


def test_tenants_beyond_the_cap_are_one_and_lose_their_keys() -> None:
    found = told(standing(), standing(tenant="b"), standing(tenant="c", subject=KEY), tenants_max=1)
    assert found["gateway_budget_limit_usd", "month", "acme"] == 10
    assert found["gateway_budget_limit_usd", "month", "other"] == 20
    assert names(found) == {"month"}
    assert ("gateway_budget_reset_timestamp_seconds", "month", "other") not in found


def test_budgets_beyond_the_cap_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.metrics.BUDGETS_MAX", 1)
    found = told(standing(), standing(period="day"), standing(period="week"))
    assert found["gateway_budget_held_usd", "other", "acme"] == 4
    assert names(found) == {"month", "other"}


def test_a_database_that_is_away_costs_only_its_own_figures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away() -> NoReturn:
        raise OSError("the disk is gone")

    metrics = Metrics(version="1", totals=lambda: {("a", "today"): 1}, standings=away)
    with caplog.at_level(logging.WARNING):
        text = metrics.render().decode()
    assert "gateway_budget" not in text
    assert "gateway_cost_usd{" in text
    assert samples(metrics)["gateway_ledger_failures_total",] == 1
    assert "the ledger did not tell gateway_budget_limit_usd" in caplog.text
    assert "the disk is gone" in caplog.text


def test_a_slow_database_holds_up_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    amounts, answers = iter((1, 2)), threading.Event()
    answers.set()

    def totals() -> dict[tuple[str, str], int]:
        answers.wait()
        return {("a", "today"): next(amounts) * USD}

    metrics = Metrics(version="1", totals=totals)
    today = "gateway_cost_usd", "a", "today"
    assert samples(metrics)[today] == 1
    answers.clear()
    monkeypatch.setattr(metric_readings, "WAIT_SECONDS_MAX", 0.01)
    assert samples(metrics)[today] == 1  # what was read last, while the next reading waits
    monkeypatch.setattr(metric_readings, "WAIT_SECONDS_MAX", None)
    answers.set()
    assert samples(metrics)[today] == 2  # it was waited for, not asked for again


def test_what_was_read_long_ago_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_readings, "WAIT_SECONDS_MAX", 0)
    amounts = iter((1, 2))
    metrics = Metrics(version="1", totals=lambda: {("a", "today"): next(amounts) * USD})
    today = "gateway_cost_usd", "a", "today"
    assert samples(metrics)[today] == 1
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert samples(metrics)[today] == 2
