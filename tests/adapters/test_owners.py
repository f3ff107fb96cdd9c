"""Holds of the dead: found once, and owed as they were held; the living are left alone."""

import asyncio
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.ledger import Ledger
from gateway.adapters.owners import (
    GATEWAY_LOST,
    Owner,
    claim_holds,
    dead_owners,
    orphans,
)
from gateway.adapters.rows import hold_row
from gateway.core.exchange import STORE_TAG, Hold
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerload, ledgerview

AT_US = builders.AT_US
ROOT = Path(__file__).parents[2]


def register(engine: Engine, owner_id: str, *, lease_until_us: int) -> None:
    row = {"id": owner_id, "host": "h", "pid": 1, "started_at_us": 0}
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.owner).values(**row, lease_until_us=lease_until_us))


def leave_holds(engine: Engine, owner_id: str, holds: list[Hold]) -> None:
    names = schema.hold.c.keys()
    rows = [dict(zip(names, hold_row(hold, owner_id=owner_id), strict=True)) for hold in holds]
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.hold), rows)


def lock_file(state_dir: Path, owner_id: str) -> Path:
    return state_dir / f"owner-{owner_id}.lock"


def dead(engine: Engine, state_dir: Path, *, steady_since_us: int | None = 0) -> list[str]:
    return dead_owners(engine, state_dir, AT_US, steady_since_us=steady_since_us)


@pytest.mark.parametrize(
    ("lease_until_us", "steady_since_us", "is_dead"),
    [
        (AT_US, 0, False),
        (AT_US - 1, 0, True),
        (AT_US - 1, AT_US - 1, False),  # all leases ran out in the same outage
        (AT_US - 1, None, False),
    ],
)
def test_elsewhere_the_lease_decides(
    engine: Engine,
    tmp_path: Path,
    lease_until_us: int,
    steady_since_us: int | None,
    is_dead: bool,
) -> None:
    register(engine, "far", lease_until_us=lease_until_us)
    found = dead(engine, tmp_path, steady_since_us=steady_since_us)
    assert found == (["far"] if is_dead else [])


def test_here_the_lock_decides_whatever_the_lease_says(engine: Engine, tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    register(engine, owner.id, lease_until_us=0)
    assert dead(engine, tmp_path) == []
    lock_file(tmp_path, "killed").touch()
    register(engine, "killed", lease_until_us=AT_US + 1)
    assert dead(engine, tmp_path, steady_since_us=None) == ["killed"]
    owner.release()
    assert not lock_file(tmp_path, owner.id).exists()


def test_an_owner_that_nobody_knows_is_dead(engine: Engine, tmp_path: Path) -> None:
    leave_holds(engine, "gone", [builders.hold(), builders.hold()])
    assert dead(engine, tmp_path) == ["gone"]


async def resolve(ledger: Ledger, engine: Engine, state_dir: Path) -> int:
    """Post what is found as it is found: nobody is asked."""
    count = 0
    async for lost in orphans(ledger, engine=engine, state_dir=state_dir, now_us=now_us):
        await asyncio.gather(*map(ledger.settle, lost))
        count += len(lost)
    return count


async def test_what_comes_at_once_is_no_more_than_a_batch(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    leave_holds(engine, "dead", [builders.hold() for _ in range(150)])
    found = orphans(ledger, engine=engine, state_dir=tmp_path, now_us=now_us)
    assert [len(lost) async for lost in found] == [64, 64, 22]


async def test_what_a_dead_owner_held_is_owed_as_it_was_held(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    opened, unpriced = builders.hold(), builders.hold(price=None)
    unstored = builders.hold(tags={STORE_TAG: "false"})
    leave_holds(engine, "dead", [opened, unpriced, unstored])
    with write_transaction(engine) as connection:
        connection.execute(
            schema.hold.update()
            .where(schema.hold.c.request_id != unpriced.request_id)
            .values(response_id="resp_1")
        )
    register(engine, "dead", lease_until_us=AT_US)
    lock_file(tmp_path, "dead").touch()

    assert await resolve(ledger, engine, tmp_path) == 3

    entries = {row["request_id"]: row for row in ledgerview.rows(engine, schema.entry)}
    entry = entries[opened.request_id]
    facts = ("outcome", "reason", "basis", "cost_pusd", "response_id", "recoverable")
    assert tuple(entry[name] for name in facts) == (
        "aborted", GATEWAY_LOST, "worst_case", opened.hold_pusd, "resp_1", True,
    )  # fmt: skip
    other = entries[unpriced.request_id]
    assert (other["cost_pusd"], other["recoverable"]) == (None, False)
    forgotten = entries[unstored.request_id]
    assert (forgotten["response_id"], forgotten["recoverable"]) == ("resp_1", False)
    assert ledgerview.rows(engine, schema.hold) == []
    assert [row["id"] for row in ledgerview.rows(engine, schema.owner)] == ["alive"]
    assert not lock_file(tmp_path, "dead").exists()
    ledgerview.audit(engine)


async def test_the_living_keep_what_they_hold(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    await ledger.hold(builders.hold())
    assert await resolve(ledger, engine, tmp_path) == 0
    assert len(ledgerview.rows(engine, schema.hold)) == 1


async def test_nobody_takes_over_from_itself(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    await ledger.hold(builders.hold())
    lock_file(tmp_path, "alive").touch()
    assert dead(engine, tmp_path) == ["alive"]
    assert await resolve(ledger, engine, tmp_path) == 0
    assert len(ledgerview.rows(engine, schema.hold)) == 1


async def test_of_two_who_take_over_each_hold_has_one(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    leave_holds(engine, "dead", [builders.hold() for _ in range(1200)])
    rival = Ledger(engine=engine, owner_id="rival", now_us=now_us)
    rival.start()
    counts = await asyncio.gather(
        resolve(ledger, engine, tmp_path), resolve(rival, engine, tmp_path)
    )
    await rival.aclose()
    assert sum(counts) == 1200
    assert len(ledgerview.rows(engine, schema.entry)) == 1200
    assert ledgerview.rows(engine, schema.hold) == []
    ledgerview.audit(engine)


async def test_an_owner_that_settles_after_all_changes_nothing(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    hold = builders.hold()
    leave_holds(engine, "frozen", [hold])
    await resolve(ledger, engine, tmp_path)
    await ledger.settle(builders.exchange(hold=hold))
    (entry,) = ledgerview.rows(engine, schema.entry)
    assert entry["basis"] == "worst_case"
    ledgerview.audit(engine)


def test_what_is_claimed_is_the_heirs(engine: Engine) -> None:
    hold = builders.hold()
    leave_holds(engine, "dead", [hold])
    assert claim_holds(engine, "dead", "heir") == [(hold, None)]
    assert claim_holds(engine, "dead", "late") == []
    assert ledgerview.rows(engine, schema.hold)[0]["owner"] == "heir"


@pytest.mark.long
async def test_ten_thousand_orphans_are_found_and_posted_in_seconds(
    ledger: Ledger, engine: Engine, tmp_path: Path
) -> None:
    leave_holds(engine, "dead", [builders.hold() for _ in range(10_000)])
    begun = time.perf_counter()
    assert await resolve(ledger, engine, tmp_path) == 10_000
    print(f"10,000 orphans in {time.perf_counter() - begun:.2f} s")
    ledgerview.audit(engine)


async def test_a_killed_process_is_known_at_once_and_its_holds_end(
    ledger: Ledger, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(Path(ledgerload.__file__)), database_url, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        promised = {process.stdout.readline().split()[1] for _ in range(200)}
        assert await resolve(ledger, engine, tmp_path) == 0
        process.kill()
        process.wait()
    lost = await resolve(ledger, engine, tmp_path)
    async with asyncio.timeout(20):  # a server may still be at what it was asked last
        while ledgerview.rows(engine, schema.hold):
            await asyncio.sleep(0.05)
            lost += await resolve(ledger, engine, tmp_path)
    assert lost <= ledgerload.CONCURRENT
    assert promised <= ledgerview.ids(engine, schema.entry)
    ledgerview.audit(engine)


def test_the_lock_is_the_owners_for_its_life(tmp_path: Path) -> None:
    owner = Owner(tmp_path / "state")
    with lock_file(tmp_path / "state", owner.id).open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    owner.release()
