"""What scripts rely on: names, and money as strings of 12 decimals."""

from sqlalchemy import Engine

from gateway.adapters import reports
from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.views import (
    bill_lines,
    budget_document,
    entry_document,
    entry_facts,
    usage_facts,
)
from tests import builders
from tests.builders import AT_US

NAMES = [
    "id", "created_at", "tenant", "key_id", "response_id", "model", "service_tier", "outcome",
    "client_gone", "basis", "input_tokens", "cached_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "cost_usd", "adjustment_usd", "hold_usd", "price_version",
]  # fmt: skip


async def test_an_entry_has_the_names_that_stay(ledger: Ledger, engine: Engine) -> None:
    await ledger.settle(builders.exchange(hold=builders.hold(tags={"team": "a"})))
    (row,) = reports.entries(engine)
    facts = entry_facts(row)
    assert list(facts)[: len(NAMES)] == NAMES
    assert (facts["cost_usd"], facts["adjustment_usd"]) == ("0.000360000000", None)
    assert entry_document(row) == {**facts, "tags": {"team": "a"}}
    lines = bill_lines(row)
    assert set(lines[0]) == {"meter", "quantity", "unit_price_usd", "cost_usd"}
    (used,) = reports.usage(engine)
    assert usage_facts(used)["cost_usd"] == facts["cost_usd"]


async def test_an_unknown_cost_is_none(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold(price=None)
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=None, lines=()))
    (row,) = reports.entries(engine)
    assert (entry_facts(row)["cost_usd"], bill_lines(row)) == (None, [])


def test_a_budget_says_what_is_left(engine: Engine) -> None:
    Directory(engine=engine, now_us=lambda: AT_US).create_tenant("acme")
    budgets = Budgets(engine=engine, now_us=lambda: AT_US)
    budgets.set_budget("acme", period="total", given={"limit_pusd": 5 * 10**12})
    (standing,) = budgets.list_budgets()
    document = budget_document(standing)
    assert (document["limit_usd"], document["left_usd"]) == ("5.000000000000", "5.000000000000")
    assert (document["period_start"], document["models"]) == (None, None)
