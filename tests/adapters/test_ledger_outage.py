"""The database is away: what settles is durable all the same, and posted once when it returns."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.adoption import adopt_journals
from gateway.adapters.journal import Journal
from gateway.adapters.journal_records import known_postings
from gateway.adapters.ledger import Ledger
from gateway.adapters.work import Opened
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Exchange
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.outage import gate_shut, outage

Away = Callable[[Engine], AbstractContextManager[None]]
AWAY = pytest.mark.parametrize("away", [outage, gate_shut])


class Kept:
    """A ledger with a journal, and what it says of its failures."""

    def __init__(self, engine: Engine, folder: Path, **fields: Any) -> None:
        self.journal = Journal(folder, "me")
        self.failures: list[None] = []
        self.ledger = Ledger(
            engine=engine,
            owner_id="me",
            now_us=now_us,
            journal=self.journal,
            on_failure=lambda: self.failures.append(None),
            **fields,
        )
        self.ledger.start()

    async def caught_up(self) -> None:
        """Wait until the database has all that the journal held."""
        async with asyncio.timeout(60):
            while self.ledger.journal_bytes or not self.ledger.is_healthy:
                await asyncio.sleep(0.005)

    async def down(self) -> None:
        """Let the ledger learn that the database is away."""
        with pytest.raises(LedgerUnavailable):
            await self.ledger.hold(builders.hold())
        assert not self.ledger.is_healthy


@pytest.fixture
async def kept(engine: Engine, tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(engine, tmp_path)
    await made.ledger.settle(builders.exchange())  # the heartbeat is written
    yield made
    await made.ledger.aclose()


@pytest.fixture
async def trusting(engine: Engine, tmp_path: Path) -> AsyncIterator[Kept]:
    """New requests go on in an outage."""
    made = Kept(engine, tmp_path, outage="journal")
    await made.ledger.settle(builders.exchange())
    yield made
    await made.ledger.aclose()


def assert_posted(engine: Engine, *exchanges: Exchange) -> None:
    """Each once, exact, and its hold gone."""
    entries = {row["request_id"]: row for row in ledgerview.rows(engine, schema.entry)}
    for exchange in exchanges:
        entry = entries[exchange.hold.request_id]
        assert (entry["basis"], entry["cost_pusd"]) == ("reported", exchange.cost_pusd)
    ledgerview.audit(engine)


@AWAY
async def test_what_settles_meanwhile_is_durable_and_posted_once(
    kept: Kept, engine: Engine, away: Away
) -> None:
    exchanges = [builders.exchange() for _ in range(50)]
    for exchange in exchanges:
        await kept.ledger.hold(exchange.hold)
    with away(engine):
        await asyncio.gather(*(kept.ledger.settle(one) for one in exchanges[:40]))
        assert not kept.ledger.is_healthy
        await asyncio.gather(*(kept.ledger.settle(one) for one in exchanges[40:]))
        assert kept.ledger.journal_bytes > 0
    await kept.caught_up()
    assert_posted(engine, *exchanges)
    assert ledgerview.ids(engine, schema.hold) == set()
    assert kept.failures == []


@AWAY
async def test_what_would_hold_is_refused_and_then_at_once(
    kept: Kept, engine: Engine, away: Away
) -> None:
    with away(engine):
        await kept.down()
        refused = [kept.ledger.hold(builders.hold()) for _ in range(1000)]
        begun = time.perf_counter()
        results = await asyncio.gather(*refused, return_exceptions=True)
        assert {type(result) for result in results} == {LedgerUnavailable}
        assert time.perf_counter() - begun < 60
        assert kept.ledger.queue_depth < 10  # nothing waits for the database
    await kept.caught_up()
    await kept.ledger.hold(builders.hold())


async def test_a_database_that_returns_is_seen_though_nobody_asks(
    kept: Kept, engine: Engine
) -> None:
    with gate_shut(engine):
        await kept.down()
    await kept.caught_up()


async def test_an_idle_ledger_asks_by_itself(engine: Engine, tmp_path: Path) -> None:
    idle = Kept(engine, tmp_path, lease_seconds=3600)
    await idle.ledger.settle(builders.exchange())
    idle.ledger._writer.is_down = True
    await idle.caught_up()
    await idle.ledger.aclose()


async def test_a_request_may_go_on_with_its_hold_in_the_journal(
    trusting: Kept, engine: Engine
) -> None:
    late, begun, settled, named = (builders.hold() for _ in range(4))
    exchange = builders.exchange(hold=settled)
    with outage(engine):
        await trusting.ledger.hold(late)
        await trusting.ledger.hold(begun)
        trusting.ledger.opened(begun.request_id, "resp_1")
        await trusting.ledger.hold(settled)
        await trusting.ledger.settle(exchange)
        await trusting.ledger.hold(named)
        await trusting.ledger.named(named.request_id, "resp_2")
        records = known_postings(trusting.journal.read(0, 100)[0])
        assert Opened(request_id=begun.request_id, response_id="resp_1") in records
        assert records[-1] == Opened(request_id=named.request_id, response_id="resp_2")
    await trusting.caught_up()
    await trusting.ledger.settle(builders.exchange())
    holds = {row["request_id"]: row for row in ledgerview.rows(engine, schema.hold)}
    assert holds.keys() == {late.request_id, begun.request_id, named.request_id}
    assert holds[begun.request_id]["response_id"] == "resp_1"
    assert holds[named.request_id]["response_id"] == "resp_2"
    assert_posted(engine, exchange)
    await trusting.ledger.settle(builders.exchange(hold=late))
    assert ledgerview.ids(engine, schema.hold) == {begun.request_id, named.request_id}


async def test_a_hold_that_the_journal_does_not_take_is_voided(
    trusting: Kept, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    holds = [builders.hold() for _ in range(2)]
    with caplog.at_level(logging.CRITICAL), outage(engine), monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        for hold in holds:
            with pytest.raises(LedgerUnavailable):
                await trusting.ledger.hold(hold)
    await trusting.caught_up()
    await trusting.ledger.settle(builders.exchange())
    assert ledgerview.ids(engine, schema.hold) == set()
    entries = {row["request_id"]: row for row in ledgerview.rows(engine, schema.entry)}
    assert {entries[hold.request_id]["cost_pusd"] for hold in holds} == {0}


async def test_a_hold_whose_client_leaves_the_journal_is_voided(
    trusting: Kept, engine: Engine
) -> None:
    hold = builders.hold()
    with outage(engine):
        await trusting.ledger.hold(builders.hold())
        holding = asyncio.ensure_future(trusting.ledger.hold(hold))
        await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
    await trusting.caught_up()
    await trusting.ledger.settle(builders.exchange())
    assert hold.request_id not in ledgerview.ids(engine, schema.hold)
    ledgerview.audit(engine)


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")


async def test_where_the_journal_fails_too_nobody_waits_and_the_hold_stays(
    kept: Kept, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    exchanges = [builders.exchange() for _ in range(2)]
    for exchange in exchanges:
        await kept.ledger.hold(exchange.hold)
    with caplog.at_level(logging.CRITICAL), outage(engine), monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        for exchange in exchanges:
            await kept.ledger.settle(exchange)
        assert len(kept.failures) == 2
    assert kept.ledger.journal_bytes == 0
    await kept.caught_up()
    await kept.ledger.settle(builders.exchange())
    assert_posted(engine, *exchanges)  # for this process lived to see it return
    assert ledgerview.ids(engine, schema.hold) == set()


@AWAY
async def test_closing_meanwhile_leaves_all_to_who_comes_next(
    engine: Engine, tmp_path: Path, away: Away
) -> None:
    first = Kept(engine, tmp_path)
    exchanges = [builders.exchange() for _ in range(20)]
    for exchange in exchanges:
        await first.ledger.hold(exchange.hold)
    with away(engine):
        # Some in the journal, some with the writer, and some whose callers have left.
        await first.ledger.settle(exchanges[0])
        first.ledger._writer.is_down = False
        settling = [asyncio.ensure_future(first.ledger.settle(one)) for one in exchanges[1:]]
        await asyncio.sleep(0.01)
        settling[0].cancel()
        await first.ledger.aclose()
        await asyncio.gather(*settling[1:])
    (path,) = tmp_path.glob("journal-*.log")
    second = Ledger(engine=engine, owner_id="heir", now_us=now_us)
    second.start()
    assert await adopt_journals(second, tmp_path) >= len(exchanges)
    await second.aclose()
    assert_posted(engine, *exchanges)
    assert not path.exists()


async def test_a_record_that_cannot_be_written_is_set_aside(
    kept: Kept, engine: Engine, tmp_path: Path, caplog: Any
) -> None:
    good, bad = builders.exchange(), builders.exchange(cost_pusd=-1)
    with caplog.at_level(logging.CRITICAL):
        with outage(engine):
            await kept.down()
            await kept.ledger.settle(bad)
            await kept.ledger.settle(good)
        await kept.caught_up()
    assert_posted(engine, good)
    assert bad.hold.request_id not in ledgerview.ids(engine, schema.entry)
    assert len(list(tmp_path.glob("*.damaged"))) == 1


async def test_the_database_may_go_while_it_is_catching_up(kept: Kept, engine: Engine) -> None:
    exchanges = [builders.exchange() for _ in range(200)]
    with outage(engine):
        await kept.down()
        await asyncio.gather(*(kept.ledger.settle(one) for one in exchanges))
    while len(ledgerview.ids(engine, schema.entry)) < 20:
        await asyncio.sleep(0)
    with outage(engine):
        exchanges.append(builders.exchange())
        await kept.ledger.settle(exchanges[-1])
    await kept.caught_up()
    assert_posted(engine, *exchanges)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
async def test_a_long_outage_is_caught_up_in_seconds(
    kept: Kept, engine: Engine, count: int
) -> None:
    exchanges = [builders.exchange() for _ in range(count)]
    with outage(engine):
        await kept.down()
        begun = time.perf_counter()
        await asyncio.gather(*(kept.ledger.settle(one) for one in exchanges))
        journaled_seconds = time.perf_counter() - begun
        journal_bytes = kept.ledger.journal_bytes
    assert kept.failures == []
    begun = time.perf_counter()
    await kept.caught_up()
    print(
        f"{count} settlements: {journal_bytes} bytes in {journaled_seconds:.2f} s, "
        f"caught up in {time.perf_counter() - begun:.2f} s"
    )
    assert_posted(engine, *exchanges)
