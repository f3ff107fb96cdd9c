"""A request's whole bill, before and after its price is known."""

from typing import Any

from sqlalchemy import Engine

from gateway.adapters.bill_views import bill_document, priced_by, total_usd
from gateway.adapters.bills import beside
from gateway.adapters.ledger import Ledger
from gateway.adapters.reports import entry
from gateway.adapters.repricing import reprice
from gateway.core.price_book import PriceBook
from tests import builders
from tests.builders import AT_US, CARD
from tests.fakes.budgets import set_budget

BOOK = PriceBook(version="", cards={"gpt-test": (CARD,), "gpt-test-2026-01-01": (CARD,)})


async def test_it_is_explained_line_by_line(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine, id="1-x", subject="acme", limit_pusd=10**12)
    held = await ledger.hold(builders.hold(request_id="req-a", legs=None))
    await ledger.settle(builders.exchange(hold=held, cost_pusd=None, lines=()))
    row = entry(engine, "req-a")
    assert row is not None
    assert total_usd(row) is None

    reprice(engine, BOOK, now_us=AT_US)
    row = entry(engine, "resp_1")
    assert row is not None
    found = beside(engine, row.request_id)
    price = priced_by(row, found, BOOK)
    assert price == CARD
    told: Any = bill_document(row, found, price)
    assert told["total_usd"] == "0.000360000000"
    assert told["price"] == {
        "layer": "built-in book",
        "version": CARD.version,
        "effective_from": None,
        "effective_to": None,
        "source": CARD.source,
    }
    assert told["lines"] == []
    (adjustment,) = found.adjustments
    assert adjustment.lines
    (said,) = told["adjustments"]
    assert (said["kind"], said["adjustment_usd"]) == ("repriced", "0.000360000000")
    assert [line["meter"] for line in said["lines"]] == ["input", "output"]
    (counted,) = told["budgets"]
    assert (counted["subject"], counted["left_usd"]) == ("acme", "0.999640000000")


async def test_a_book_of_another_version_did_not_price_it(engine: Engine, ledger: Ledger) -> None:
    held = await ledger.hold(builders.hold(request_id="req-b", legs=()))
    await ledger.settle(builders.exchange(hold=held))
    row = entry(engine, "req-b")
    assert row is not None
    other = PriceBook(version="", cards={"gpt-test": (builders.price(version="other"),)})
    assert priced_by(row, beside(engine, "req-b"), other) is None
    assert bill_document(row, beside(engine, "req-b"), None)["price"] is None
