"""What stands beside an entry."""

from sqlalchemy import Engine

from gateway.adapters.bills import beside
from gateway.adapters.ledger import Ledger
from gateway.adapters.repricing import reprice
from gateway.core.price_book import PriceBook
from tests import builders
from tests.builders import AT_US, CARD
from tests.fakes.budgets import set_budget


async def test_adjustments_and_budgets(engine: Engine, ledger: Ledger) -> None:
    for number, subject in ((2, "acme/search"), (1, "acme")):
        set_budget(engine, id=f"{number}-x", subject=subject, limit_pusd=10**12)
    held = await ledger.hold(builders.hold(request_id="req-a", legs=None))
    await ledger.settle(builders.exchange(hold=held, cost_pusd=None, lines=()))
    await ledger.settle(builders.exchange(hold=builders.hold(request_id="req-b", legs=())))
    reprice(engine, PriceBook(version="", cards={"gpt-test": (CARD,)}), now_us=AT_US)
    found = beside(engine, "req-a")
    (adjustment,) = found.adjustments
    assert (adjustment.kind, adjustment.delta_pusd) == ("repriced", 360_000_000)
    assert adjustment.price_version == CARD.version
    assert [line.meter for line in adjustment.lines] == ["input", "output"]
    assert [(budget.id, account.spent_pusd) for budget, account in found.budgets] == [
        ("1-x", 360_000_000),
        ("2-x", 360_000_000),
    ]
    assert (beside(engine, "req-b").budgets, beside(engine, "none").adjustments) == ((), ())
