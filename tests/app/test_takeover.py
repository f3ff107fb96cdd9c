"""What the dead leave is handed on at once, and tried again where it could not be."""

import asyncio
from pathlib import Path

import pytest

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.adapters.journal import Journal
from gateway.adapters.journal_records import to_record
from gateway.adapters.ledger import Ledger
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, settled
from gateway.app.takeover import Takeover
from gateway.core.exchange import Exchange
from tests import builders
from tests.fakes import ledgerview
from tests.journeys.stage import now_us


async def test_what_is_settled_is_posted_and_what_is_held_is_handed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    schema.metadata.create_all(engine)
    left, done = builders.hold(), builders.exchange()
    journal = Journal(tmp_path, "dead")
    journal.append([to_record(Held(row=hold_row(left, owner_id="dead"))), to_record(settled(done))])
    journal.close()
    ledger = Ledger(engine=engine, owner_id="heir", now_us=now_us)
    ledger.start()
    handed: list[Exchange] = []
    is_handed = asyncio.Event()

    async def heir(lost: list[Exchange]) -> None:
        handed.extend(lost)
        is_handed.set()
        raise OSError("the first time")

    takeover = Takeover(
        ledger=ledger, engine=engine, state_dir=tmp_path, heir=heir, pause_seconds=0
    )
    running = asyncio.ensure_future(takeover.run())
    async with asyncio.timeout(5):
        await is_handed.wait()
    is_handed.clear()
    late = builders.hold()
    await ledger.replay([Held(row=hold_row(late, owner_id="later"), is_sent=True)])
    async with asyncio.timeout(5):
        await is_handed.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ledger.aclose()

    assert [one.hold.request_id for one in handed] == [left.request_id, late.request_id]
    assert ledgerview.ids(engine, schema.entry) == {done.hold.request_id}
    assert "the first time" in caplog.text
    engine.dispose()
