"""The thread's own promises: it outlives what its callers and its sinks do."""

import asyncio
import logging
import threading

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.job import BatchReport
from gateway.adapters.ledger import Ledger
from gateway.core.errors import LedgerUnavailable
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview, postgres
from tests.fakes.outage import in_time


async def test_a_sink_that_raises_does_not_stop_the_ledger(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: BatchReport) -> None:
        raise RuntimeError("sink")

    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us, on_batch=broken)
    ledger.start()
    with caplog.at_level(logging.CRITICAL):
        await ledger.hold(builders.hold())
        await ledger.settle(builders.exchange())
    await ledger.aclose()
    assert len(ledgerview.rows(engine, schema.entry)) == 1


async def test_a_database_without_tables_is_an_outage_until_it_has_them(engine: Engine) -> None:
    schema.metadata.drop_all(engine)
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    with in_time(), pytest.raises(LedgerUnavailable):
        await ledger.hold(builders.hold())
    assert not ledger.is_healthy
    postgres.create_tables(engine)
    await ledger.settle(builders.exchange())
    assert ledger.is_healthy
    await ledger.aclose()


async def test_the_thread_ends_with_the_ledger(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    assert "ledger" in {thread.name for thread in threading.enumerate()}
    await ledger.aclose()
    assert "ledger" not in {thread.name for thread in threading.enumerate()}


def test_a_loop_that_ends_first_loses_nothing_durable(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)

    async def leave() -> None:
        ledger.start()
        await ledger.hold(builders.hold())
        settling = asyncio.ensure_future(ledger.settle(builders.exchange()))
        await asyncio.sleep(0)
        settling.cancel()

    asyncio.run(leave())
    asyncio.run(ledger.aclose())
    assert len(ledgerview.rows(engine, schema.entry)) == 1
    assert len(ledgerview.rows(engine, schema.hold)) == 1
