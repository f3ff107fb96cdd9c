"""What closes while a hold is on its way: nobody goes on with it, so nobody is to pay for it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.adoption import adopt_journals
from gateway.adapters.journal import Journal
from gateway.adapters.ledger import ABANDONED, Ledger
from gateway.adapters.owners import orphans
from gateway.core.errors import LedgerUnavailable
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.outage import gate_shut


async def begun(ledger: Ledger) -> asyncio.Task[object]:
    """A hold that the writer has taken, and cannot write yet."""
    holding: asyncio.Task[object] = asyncio.ensure_future(ledger.hold(builders.hold()))
    await asyncio.sleep(0)
    while ledger.queue_depth:
        await asyncio.sleep(0)
    return holding


@pytest.fixture
async def closing(engine: Engine, tmp_path: Path) -> Ledger:
    ledger = Ledger(
        engine=engine, owner_id="closing", now_us=now_us, journal=Journal(tmp_path, "closing")
    )
    ledger.start()
    await ledger.settle(builders.exchange())  # the heartbeat is written: what is next is the hold
    return ledger


async def assert_void(engine: Engine, ledger: Ledger, folder: Path) -> None:
    """As whoever comes next finds it."""
    await adopt_journals(ledger, folder)
    async for lost in orphans(ledger, engine=engine, state_dir=folder, now_us=now_us):
        await asyncio.gather(*map(ledger.settle, lost))
    entries = [one for one in ledgerview.rows(engine, schema.entry) if one["reason"] == ABANDONED]
    assert [(one["basis"], one["cost_pusd"]) for one in entries] == [("none", 0)]
    assert not ledgerview.ids(engine, schema.hold)
    ledgerview.audit(engine)


async def test_a_hold_whose_waiter_is_cancelled_meanwhile_is_void(
    closing: Ledger, engine: Engine, ledger: Ledger, tmp_path: Path
) -> None:
    with gate_shut(engine):
        holding = await begun(closing)
        ending = asyncio.ensure_future(closing.aclose())
        await asyncio.sleep(0)
        holding.cancel()
        await asyncio.sleep(0)
    await ending
    assert holding.cancelled()
    await assert_void(engine, ledger, tmp_path)


async def test_a_hold_that_may_have_been_written_is_void(
    closing: Ledger, engine: Engine, ledger: Ledger, tmp_path: Path
) -> None:
    """Its commit's answer was lost, and there is no time left to ask."""
    commit = closing._writer._commit

    def lossy(*args: object, **named: object) -> None:
        commit(*args, **named)  # type: ignore[arg-type]  # as it was called
        raise OSError("the answer was lost")

    setattr(closing._writer, "_commit", lossy)  # noqa: B010 - of this one writer
    with gate_shut(engine):
        holding = await begun(closing)
        ending = asyncio.ensure_future(closing.aclose())
        while not closing._writer._closing.is_set():
            await asyncio.sleep(0.001)
    await ending
    with pytest.raises(LedgerUnavailable):
        await holding
    await assert_void(engine, ledger, tmp_path)
