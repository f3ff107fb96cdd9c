"""What a dead owner's journal holds is posted exactly, by one heir, before the worst case is."""

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.adoption import adopt_journals
from gateway.adapters.journal import Journal
from gateway.adapters.journal_records import to_record
from gateway.adapters.ledger import Ledger
from gateway.adapters.owners import orphans
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, settled
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Exchange
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerload, ledgerview
from tests.fakes.outage import gate_shut, outage

ROOT = Path(__file__).parents[2]


def leave(folder: Path, exchanges: list[Exchange], owner: str = "dead") -> Path:
    journal = Journal(folder, owner)
    journal.append([to_record(settled(one)) for one in exchanges])
    journal.close()
    return folder / f"journal-{owner}.log"


async def test_each_is_posted_once_however_often_it_is_replayed(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    exchanges = [builders.exchange() for _ in range(600)]
    await ledger.hold(exchanges[0].hold)
    await ledger.settle(exchanges[1])
    data = leave(tmp_path, exchanges).read_bytes()
    assert await adopt_journals(ledger, tmp_path) == 600
    assert list(tmp_path.glob("journal-*")) == []
    (tmp_path / "journal-dead.log").write_bytes(data)  # killed before it was removed
    assert await adopt_journals(ledger, tmp_path) == 600
    assert ledgerview.ids(engine, schema.entry) == {one.hold.request_id for one in exchanges}
    assert ledgerview.ids(engine, schema.hold) == set()
    ledgerview.audit(engine)


async def test_what_was_held_and_never_settled_is_an_orphan(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    open_hold, done = builders.hold(), builders.exchange()
    journal = Journal(tmp_path, "dead")
    for posting in (
        Held(row=hold_row(open_hold, owner_id="dead")),
        Held(row=hold_row(done.hold, owner_id="dead")),
        settled(done),
    ):
        journal.append([to_record(posting)])
    journal.close()
    await adopt_journals(ledger, tmp_path)
    assert ledgerview.ids(engine, schema.hold) == {open_hold.request_id}
    found = orphans(ledger, engine=engine, state_dir=tmp_path, now_us=now_us)
    assert [one.hold async for some in found for one in some] == [open_hold]
    assert ledgerview.ids(engine, schema.entry) == {done.hold.request_id}
    ledgerview.audit(engine)


async def test_the_living_replay_their_own(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    journal = Journal(tmp_path, "neighbour")
    journal.append([to_record(settled(builders.exchange()))])
    assert await adopt_journals(ledger, tmp_path) == 0
    assert journal.size_bytes > 0
    journal.close()
    assert await adopt_journals(ledger, tmp_path) == 1


@pytest.mark.parametrize("damage", ["torn", "unknown", "unwritable"])
async def test_what_is_not_whole_is_posted_as_far_as_it_goes_and_kept(
    ledger: Ledger, engine: Engine, tmp_path: Path, damage: str
) -> None:
    good = builders.exchange()
    bad = builders.exchange(cost_pusd=-1) if damage == "unwritable" else builders.exchange()
    path = leave(tmp_path, [good, bad])
    if damage == "torn":
        os.truncate(path, path.stat().st_size - 1)
    if damage == "unknown":
        journal = Journal(tmp_path, "dead2")
        journal.append([b"{}", to_record(settled(good))])
        journal.close()
    await adopt_journals(ledger, tmp_path)
    assert good.hold.request_id in ledgerview.ids(engine, schema.entry)
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    assert await adopt_journals(ledger, tmp_path) == 0


async def test_an_outage_leaves_the_journal_to_the_next(engine: Engine, tmp_path: Path) -> None:
    path = leave(tmp_path, [exchange := builders.exchange()])
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    with outage(engine):
        adopting = asyncio.ensure_future(adopt_journals(ledger, tmp_path))
        while not ledger.queue_depth and ledger.is_healthy:
            await asyncio.sleep(0.001)
        await ledger.aclose()
        with pytest.raises(LedgerUnavailable):
            await adopting
    assert path.exists()
    heir = Ledger(engine=engine, owner_id="heir", now_us=now_us)
    heir.start()
    assert await adopt_journals(heir, tmp_path) == 1
    await heir.aclose()
    assert ledgerview.ids(engine, schema.entry) == {exchange.hold.request_id}


async def test_a_kill_between_journal_and_database_loses_nothing(
    ledger: Ledger, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with loading(database_url, tmp_path) as process:
        promised = acknowledged(process, 100)
        with gate_shut(engine):
            (journal,) = tmp_path.glob("journal-*.log")
            while not journal.stat().st_size:
                promised += acknowledged(process, 1)
            promised += acknowledged(process, 300)
            process.kill()
            process.wait()
    assert await adopt_journals(ledger, tmp_path) > 0
    async for lost in orphans(ledger, engine=engine, state_dir=tmp_path, now_us=now_us):
        await asyncio.gather(*map(ledger.settle, lost))
    entries = {row["request_id"]: row for row in ledgerview.rows(engine, schema.entry)}
    for line in promised:
        what, _, request_id = line.partition(" ")
        assert request_id in entries
        if what == "entry":
            assert (entries[request_id]["basis"], entries[request_id]["cost_pusd"]) == (
                "reported",
                builders.exchange().cost_pusd,
            )
    assert ledgerview.ids(engine, schema.hold) == set()
    ledgerview.audit(engine)


async def test_two_processes_come_through_an_outage_each_with_its_own(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with loading(database_url, tmp_path) as one, loading(database_url, tmp_path) as two:
        promised = acknowledged(one, 100) + acknowledged(two, 100)
        with gate_shut(engine):
            promised += acknowledged(one, 300) + acknowledged(two, 300)
            first, second = tmp_path.glob("journal-*.log")
            assert is_locked(first)
            assert is_locked(second)
        while first.stat().st_size or second.stat().st_size:
            promised += acknowledged(one, 1) + acknowledged(two, 1)
        one.kill()
        two.kill()
    heir = Ledger(engine=engine, owner_id="heir", now_us=now_us)
    heir.start()
    await adopt_journals(heir, tmp_path)
    await heir.aclose()
    entries = ledgerview.ids(engine, schema.entry)
    assert {line.split()[1] for line in promised if line.startswith("entry")} <= entries
    ledgerview.audit(engine)


def is_locked(path: Path) -> bool:
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def loading(database_url: str, state_dir: Path) -> "Iterator[subprocess.Popen[str]]":
    script = str(Path(ledgerload.__file__))
    command = [sys.executable, script, database_url, str(state_dir), "journal"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def acknowledged(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]
