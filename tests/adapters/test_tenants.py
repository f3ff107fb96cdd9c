"""Keys to tenants: from memory while fresh, then by the database's word."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, Engine, event

from gateway.adapters.changes import KEY, TENANT, Change, News, newest_change
from gateway.adapters.directory import Directory
from gateway.adapters.keyring import Finding
from gateway.adapters.tenants import AWAY_SECONDS, Tenants
from gateway.core.errors import LedgerUnavailable
from gateway.core.tenant import PresentedKey, Tenant, present
from tests.builders import AT_US
from tests.fakes.outage import outage


class World:
    """A database with one tenant, its key, and clocks that stand still until moved."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seconds = 0.0
        self.reads = 0
        self.directory = Directory(engine=engine, now_us=self.now_us)
        self.tenants = self.open()
        self.directory.create_tenant("acme/search")
        self.issued = self.directory.issue_key("acme/search")
        self.key = shown(self.issued.text)
        event.listen(engine, "begin", self._count)

    def open(self, *, cached_max: int = 10_000) -> Tenants:
        tenants = Tenants(
            engine=self.engine,
            now_us=self.now_us,
            clock=lambda: self.seconds,
            cached_max=cached_max,
        )
        tenants._renewal_seconds_max = 10  # the machine may be slow
        return tenants

    def now_us(self) -> int:
        return AT_US + round(self.seconds * 1_000_000)

    def _count(self, _: Connection) -> None:
        self.reads += 1

    def tenant(self, path: str) -> str:
        self.directory.create_tenant(path)
        return path

    def hear(self, *named: Change, changes: tuple[Change, ...] | None = ()) -> None:
        """As the ledger's writer would tell it: the log was read to its end."""
        with self.engine.connect() as connection:
            newest = newest_change(connection)
        told = None if changes is None else (*changes, *named)
        self.tenants.hear(News(newest=newest, asked_seconds=self.seconds, changes=told))
        self.reads -= 1  # of the transaction above

    async def find(self, key: PresentedKey) -> Tenant | None:
        return self.tenants.cached(key) or await self.tenants.lookup(key)


def shown(text: str) -> PresentedKey:
    key = present(text)
    assert key is not None
    return key


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


async def test_a_key_is_its_tenants(world: World) -> None:
    assert world.tenants.cached(world.key) is None
    found = await world.tenants.lookup(world.key)
    assert found == Tenant(path="acme/search", key_id=world.issued.id)
    assert world.tenants.cached(world.key) == found


async def test_a_fresh_key_costs_no_database(world: World) -> None:
    await world.find(world.key)
    before = world.reads
    world.seconds = 2.0
    for _ in range(100):
        assert await world.find(world.key)
    assert world.reads == before
    world.seconds = 2.1
    assert await world.find(world.key)
    assert world.reads == before + 1


@pytest.mark.parametrize("verb", ["revoke", "suspend", "suspend above"])
async def test_what_was_ended_is_refused_within_its_freshness(world: World, verb: str) -> None:
    assert await world.find(world.key)
    if verb == "revoke":
        world.directory.revoke_key(world.issued.id)
    else:
        world.directory.suspend("acme" if verb == "suspend above" else "acme/search")
    world.seconds = 2.1
    assert await world.find(world.key) is None


async def test_a_fresh_log_keeps_what_it_does_not_name(world: World) -> None:
    assert await world.find(world.key)
    before = world.reads
    for _ in range(10):
        world.seconds += 1.9
        world.hear()
        assert world.tenants.cached(world.key)
    assert world.reads == before


@pytest.mark.parametrize("verb", ["revoke", "suspend", "suspend above", "anything"])
async def test_what_the_log_names_is_dropped_at_once(world: World, verb: str) -> None:
    other = shown(world.directory.issue_key(world.tenant("beta")).text)
    assert await world.find(world.key)
    assert await world.find(other)
    if verb == "revoke":
        world.hear(Change(kind=KEY, subject=world.key.id))
    elif verb == "anything":
        world.hear(changes=None)
    else:
        world.hear(Change(kind=TENANT, subject="acme/search" if verb == "suspend" else "acme"))
    assert world.tenants.cached(world.key) is None
    assert (world.tenants.cached(other) is None) == (verb == "anything")


async def test_what_was_refused_is_asked_for_again_after_a_change(world: World) -> None:
    world.directory.suspend("acme")
    assert await world.find(world.key) is None
    world.directory.resume("acme")
    world.hear(Change(kind=TENANT, subject="acme"))
    assert await world.find(world.key)


async def test_what_was_read_before_a_change_is_read_again(world: World) -> None:
    """The change is heard while the key is being read: it would never be dropped later."""
    real, read, gone = world.tenants._read, threading.Event(), threading.Event()

    def slow(key_id: str) -> Finding:
        found = real(key_id)
        read.set()
        gone.wait(10)
        return found

    world.tenants._read = slow  # type: ignore[method-assign] # the one place to be between both
    finding = asyncio.ensure_future(world.find(world.key))
    await asyncio.to_thread(read.wait, 10)
    world.directory.revoke_key(world.key.id)
    world.hear(Change(kind=KEY, subject=world.key.id))
    gone.set()
    assert await finding is None
    assert world.tenants.cached(world.key) is None


async def test_while_the_database_is_away_it_is_not_asked_for_each_request(world: World) -> None:
    assert await world.find(world.key)
    with outage(world.engine):
        world.seconds = 10.0
        before = world.reads
        assert await world.find(world.key)
        for _ in range(10):
            assert world.tenants.cached(world.key)
            with pytest.raises(LedgerUnavailable):
                await world.find(PresentedKey(id="0" * 12, digest=bytes(32)))
    assert world.reads == before + 1


async def test_a_resumed_tenant_is_served_again(world: World) -> None:
    world.directory.suspend("acme")
    assert await world.find(world.key) is None
    world.directory.resume("acme")
    world.seconds = 1.1
    assert await world.find(world.key)


async def test_a_key_expires_on_time_though_it_is_fresh(world: World) -> None:
    issued = world.directory.issue_key("acme", expires_at_us=AT_US + 1_000_000)
    key = shown(issued.text)
    assert await world.find(key)
    world.seconds = 1.0
    assert world.tenants.cached(key) is None
    assert await world.find(key) is None


async def test_a_wrong_secret_is_refused_without_asking_again(world: World) -> None:
    wrong = PresentedKey(id=world.key.id, digest=bytes(32))
    assert await world.find(wrong) is None
    assert await world.find(world.key)
    before = world.reads
    world.seconds = 1.5
    assert await world.find(wrong) is None
    assert world.reads == before


async def test_an_unknown_key_is_asked_for_once_a_second(world: World) -> None:
    unknown = PresentedKey(id="0" * 12, digest=bytes(range(32)))
    before = world.reads
    for _ in range(10):
        assert await world.find(unknown) is None
    assert world.reads == before + 1
    world.seconds = 1.0
    assert await world.find(unknown) is None
    assert world.reads == before + 2


async def test_an_unknown_id_has_no_digest_that_fits(world: World) -> None:
    assert await world.find(PresentedKey(id="0" * 12, digest=bytes(32))) is None


async def test_many_who_ask_at_once_ask_one_question(world: World) -> None:
    before = world.reads
    found = await asyncio.gather(*(world.find(world.key) for _ in range(50)))
    assert None not in found
    assert world.reads == before + 1


async def test_a_caller_who_leaves_does_not_take_the_answer_along(world: World) -> None:
    leaving = asyncio.ensure_future(world.find(world.key))
    staying = asyncio.ensure_future(world.find(world.key))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying


async def test_without_the_database_known_keys_stay_valid_for_a_time(world: World) -> None:
    assert await world.find(world.key)
    with outage(world.engine):
        world.seconds = 299.0
        assert await world.find(world.key)
        world.seconds = 301.0
        with pytest.raises(LedgerUnavailable):
            await world.find(world.key)
    world.seconds += AWAY_SECONDS
    assert await world.find(world.key)


async def test_without_the_database_a_stale_key_still_wants_its_secret(world: World) -> None:
    assert await world.find(world.key)
    with outage(world.engine):
        world.seconds = 10.0
        assert await world.find(PresentedKey(id=world.key.id, digest=bytes(32))) is None


async def test_without_the_database_an_unknown_key_is_not_called_wrong(world: World) -> None:
    with outage(world.engine), pytest.raises(LedgerUnavailable):
        await world.find(world.key)


async def test_memory_is_bounded(world: World) -> None:
    world.tenants = world.open(cached_max=2)
    keys = [world.key, *(shown(world.directory.issue_key("acme").text) for _ in range(2))]
    for key in keys:
        assert await world.find(key)
    assert [world.tenants.cached(key) is not None for key in keys] == [False, True, True]


async def test_what_memory_holds_is_known_however_old(world: World) -> None:
    assert not world.tenants.is_known(world.key)
    await world.find(world.key)
    world.seconds = 200.0
    assert world.tenants.cached(world.key) is None
    assert world.tenants.is_known(world.key)
    wrong = PresentedKey(id=world.key.id, digest=bytes(32))
    assert not world.tenants.is_known(wrong)
