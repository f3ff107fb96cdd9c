"""What was served and priced is read whole, page by page."""

from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.adapters import traffic as pages
from gateway.adapters.ledger import Ledger
from gateway.adapters.traffic import traffic
from gateway.core.advice import Served
from gateway.core.price_book import PriceBook
from tests import builders
from tests.builders import AT_US, CARD

BOOK = PriceBook(version="", cards={"gpt-test": (CARD,)})


async def post(ledger: Ledger, *, cost: dict[str, Any] | None = None, **fields: Any) -> None:
    held = await ledger.hold(builders.hold(legs=None, **fields))
    await ledger.settle(builders.exchange(hold=held, **(cost or {})))


async def test_all_that_was_priced(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_ROWS", 2)
    await post(ledger, max_output_tokens=50, is_stream=False)
    for number in (1, 1, 2):
        await post(ledger, created_at_us=AT_US + number, tenant="other")
    await post(ledger, price=builders.price(name="gone"))
    await post(ledger, cost={"cost_pusd": None, "lines": ()})
    await post(ledger, cost={"cost_pusd": 7, "lines": ()})
    found = list(traffic(engine, BOOK))
    assert len(found) == 5
    assert found.count(None) == 1
    assert found[0] == Served(
        price=CARD,
        lines=builders.exchange().lines,
        service_tier="default",
        max_output_tokens=50,
        is_stream=False,
    )
    assert len(list(traffic(engine, BOOK, since_us=AT_US + 1))) == 3
    assert len(list(traffic(engine, BOOK, tenant="acme"))) == 2
