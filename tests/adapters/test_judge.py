"""The database's word is final when a hold is written, and what changed is heard in time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.changes import News
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.judge import POLL_SECONDS, Bench
from gateway.adapters.ledger import Ledger
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, in_order
from gateway.core.errors import Unauthorized
from gateway.core.exchange import Hold
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.budgets import set_budget

TOLD_SECONDS_MAX = 10.0


class World:
    """A ledger that follows the log, and an administrator elsewhere."""

    def __init__(self, engine: Engine) -> None:
        self.told: asyncio.Queue[News] = asyncio.Queue()
        self.directory = Directory(engine=engine, now_us=now_us)
        self.directory.create_tenant("acme/search")
        self.ledger = Ledger(
            engine=engine, owner_id="me", now_us=now_us, on_news=self.told.put_nowait
        )

    def hold(self) -> tuple[Hold, str]:
        key_id = self.directory.issue_key("acme/search").id
        return builders.hold(key_id=key_id), key_id

    async def hear(self, subject: str) -> News:
        async with asyncio.timeout(TOLD_SECONDS_MAX):
            while True:
                news = await self.told.get()
                if news.changes and subject in {change.subject for change in news.changes}:
                    return news


@pytest.fixture
async def world(engine: Engine) -> AsyncIterator[World]:
    made = World(engine)
    made.ledger.start()
    await made.ledger.hold(builders.hold())
    yield made
    await made.ledger.aclose()


ENDS: dict[str, Callable[[Directory, str], object]] = {
    "revoked": lambda directory, key_id: directory.revoke_key(key_id),
    "replaced": lambda directory, key_id: directory.rotate_key(key_id),
    "suspended": lambda directory, _: directory.suspend("acme/search"),
    "suspended above": lambda directory, _: directory.suspend("acme"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_key_that_ended_takes_no_hold(world: World, engine: Engine, end: str) -> None:
    hold, key_id = world.hold()
    ENDS[end](world.directory, key_id)
    with pytest.raises(Unauthorized):
        await world.ledger.hold(hold)
    with pytest.raises(Unauthorized):  # though the change is no news any more
        await world.ledger.hold(builders.hold(key_id=key_id))
    await world.ledger.hold(builders.hold(tenant="beta"))
    assert hold.request_id not in ledgerview.ids(engine, schema.hold)
    assert ledgerview.ids(engine, schema.entry) == set()


async def test_a_key_that_changed_and_stands_takes_its_hold(world: World) -> None:
    hold, _ = world.hold()
    world.directory.suspend("acme")
    world.directory.resume("acme")
    await world.ledger.hold(hold)


async def test_of_one_batch_only_those_that_fell_are_refused(world: World, engine: Engine) -> None:
    held = [world.hold() for _ in range(20)]
    fallen = {key_id for _, key_id in held[::3]}
    for key_id in fallen:
        world.directory.revoke_key(key_id)
    results = await asyncio.gather(
        *(world.ledger.hold(hold) for hold, _ in held), return_exceptions=True
    )
    for (hold, key_id), result in zip(held, results, strict=True):
        assert isinstance(result, Unauthorized) == (key_id in fallen)
        assert (hold.request_id in ledgerview.ids(engine, schema.hold)) == (key_id not in fallen)


async def test_an_idle_ledger_hears_what_changed(world: World) -> None:
    assert POLL_SECONDS <= 0.5
    _, key_id = world.hold()
    await world.hear(key_id)
    world.directory.revoke_key(key_id)
    await world.hear(key_id)
    world.directory.suspend("acme")
    await world.hear("acme")


async def test_a_batch_tells_the_news_before_its_waiters(world: World) -> None:
    _, key_id = world.hold()
    world.directory.revoke_key(key_id)
    await world.ledger.hold(builders.hold(tenant="beta"))
    heard = [world.told.get_nowait() for _ in range(world.told.qsize())]
    subjects = {change.subject for news in heard for change in news.changes or ()}
    assert key_id in subjects


async def test_settling_needs_no_key(world: World, engine: Engine) -> None:
    hold, key_id = world.hold()
    await world.ledger.hold(hold)
    world.directory.revoke_key(key_id)
    await world.ledger.settle(builders.exchange(hold=hold))
    assert hold.request_id in ledgerview.ids(engine, schema.entry)
    ledgerview.audit(engine)


def test_processes_begin_the_same_periods_in_one_order(engine: Engine) -> None:
    names = [f"team-{number:02}" for number in range(40)]
    for name in names:
        set_budget(engine, id=f"1-{name}", subject=name, period="day")
    midnight = threading.Barrier(2)

    def begin(tenants: list[str]) -> None:
        rows = [hold_row(builders.hold(tenant=tenant), owner_id="me") for tenant in tenants]
        bench = Bench(clock=DatabaseClock(now_us))
        midnight.wait()
        with write_transaction(engine) as connection:
            bench.assign(connection, in_order([Held(row=row) for row in rows]))

    with ThreadPoolExecutor() as processes:
        list(processes.map(begin, (names, names[::-1])))  # a deadlock would raise
    assert len(ledgerview.rows(engine, schema.budget_period)) == len(names)
