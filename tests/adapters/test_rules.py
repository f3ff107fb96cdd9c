"""Prices are in force as policies are: once heard of, whole, and through an outage."""

import pytest
from sqlalchemy import Engine

from gateway.adapters.changes import ChangeLog, newest_change
from gateway.adapters.overrides import Overrides
from gateway.adapters.rules import RulesCache
from gateway.core.errors import LedgerUnavailable
from gateway.core.price_book import PriceBook
from tests.adapters.conftest import now_us
from tests.builders import AT_US, CARD

FILES = PriceBook(version="files", cards={"own": (CARD,)})
DOCUMENT = b"""{"as_of": "2026-11-22", "models": {"own": {
    "input_tokens_max": 1000, "output_tokens_max": 100,
    "prices": [{"source": "contract", "default": {"input": "1", "output": "2"}}]}}}"""


@pytest.fixture
def rules(engine: Engine) -> RulesCache:
    return RulesCache(engine=engine, files=FILES, clock=lambda: 1000.0)


def tell(rules: RulesCache, engine: Engine, log: ChangeLog) -> None:
    with engine.connect() as connection:
        rules.hear(log.read(connection, newest_change(connection), 1000.0))


async def test_a_price_is_in_force_once_it_is_heard_of(rules: RulesCache, engine: Engine) -> None:
    log = ChangeLog(clock=lambda: 1000.0)
    tell(rules, engine, log)
    assert rules.known_book is FILES
    assert await rules.book() is FILES
    said = Overrides(engine=engine, now_us=now_us).say(
        "own", DOCUMENT, from_us=AT_US, to_us=None, author="ana", note=""
    )
    assert await rules.book() is FILES
    tell(rules, engine, log)
    book = await rules.book()
    assert rules.known_book is book
    before, after = book.find("own", AT_US - 1), book.find("own", AT_US)
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (CARD.version, f"database:{said.n}")


async def test_without_the_database_there_is_no_price(engine: Engine) -> None:
    class Away:
        def connect(self) -> None:
            raise OSError("away")

    rules = RulesCache(engine=Away(), files=FILES)  # type: ignore[arg-type]  # all it does
    with pytest.raises(LedgerUnavailable):
        await rules.book()
    assert rules.known_book is FILES
