"""The policy in force, from memory: a change is seen soon, and an outage is outlived."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, update

from gateway.adapters import schema
from gateway.adapters.changes import ChangeLog, News, newest_change
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies
from gateway.adapters.policy_cache import KEPT_MAX, PolicyCache
from gateway.adapters.rules import RulesCache
from gateway.core.errors import GatewayError, LedgerUnavailable
from gateway.core.policy import Policy
from gateway.core.price_book import PriceBook
from gateway.core.tenant import Tenant
from tests.adapters.conftest import now_us


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reads:
    """An engine that counts what is asked of it, and can be away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.count = 0
        self.is_away = False

    def connect(self) -> Any:
        self.count += 1
        if self.is_away:
            raise OSError("away")
        return self._engine.connect()


class Log:
    """The log of changes, as the ledger's writer reads it and tells of it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._log = ChangeLog(clock=clock)

    def tell(self, cache: PolicyCache) -> None:
        with self._engine.connect() as connection:
            cache._rules.hear(self._log.read(connection, newest_change(connection), self._clock()))


@pytest.fixture
def reads(engine: Engine) -> Reads:
    return Reads(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(engine: Engine, clock: Clock) -> Log:
    return Log(engine, clock)


@pytest.fixture
def cache(reads: Any, clock: Clock) -> PolicyCache:
    files = PriceBook(version="files", cards={})
    rules = RulesCache(
        engine=reads, files=files, clock=clock, fresh_seconds=1, stale_seconds_max=300
    )
    return PolicyCache(rules)


@pytest.fixture
def policies(engine: Engine) -> Policies:
    return Policies(engine=engine, now_us=now_us)


@pytest.fixture
def tenant(engine: Engine) -> Tenant:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/search")
    return Tenant(path="acme/search", key_id=directory.issue_key("acme/search").id)


async def test_every_level_counts(cache: PolicyCache, policies: Policies, tenant: Tenant) -> None:
    policies.change("acme", given={"models": ["a", "b"]})
    policies.change("acme/search", given={"over": "deny"})
    policies.change(tenant.key_id, given={"models": ["b"]})
    found = await cache.find(tenant)
    assert found.policy == Policy(models=("b",), over="deny")
    assert found.origins == {"models": ("acme", tenant.key_id), "over": ("acme/search",)}
    assert (await cache.find(Tenant(path="other", key_id="k"))).policy == Policy()


async def test_a_change_is_seen_after_the_freshness(
    cache: PolicyCache, policies: Policies, tenant: Tenant, clock: Clock, reads: Reads
) -> None:
    first = await cache.find(tenant)
    policies.change("acme", given={"store": "deny"})
    assert await cache.find(tenant) is first
    assert reads.count == 1
    clock.now += 1.01
    assert (await cache.find(tenant)).policy == Policy(store="deny")


async def test_what_has_not_changed_is_not_read_again(
    cache: PolicyCache, policies: Policies, tenant: Tenant, clock: Clock
) -> None:
    policies.change("acme", given={"store": "deny"})
    first = await cache.find(tenant)
    clock.now += 2
    assert await cache.find(tenant) is first


async def test_a_change_that_is_heard_of_is_in_force_for_the_next_request(
    cache: PolicyCache, policies: Policies, tenant: Tenant, log: Log
) -> None:
    log.tell(cache)
    await cache.find(tenant)
    policies.change("acme", given={"store": "deny"})
    log.tell(cache)
    assert (await cache.find(tenant)).policy == Policy(store="deny")


async def test_while_the_log_is_heard_the_database_is_not_asked(
    cache: PolicyCache, tenant: Tenant, clock: Clock, reads: Reads, log: Log, engine: Engine
) -> None:
    log.tell(cache)
    first = await cache.find(tenant)
    Directory(engine=engine, now_us=now_us).create_tenant("another")
    for _ in range(400):
        clock.now += 1
        log.tell(cache)
        assert await cache.find(tenant) is first
    assert reads.count == 1


async def test_a_change_that_is_known_and_cannot_be_read_is_not_overlooked(
    cache: PolicyCache, policies: Policies, tenant: Tenant, reads: Reads, log: Log
) -> None:
    await cache.find(tenant)
    policies.change("acme", given={"store": "deny"})
    reads.is_away = True
    log.tell(cache)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            await cache.find(tenant)
    assert reads.count == 2, "all do not ask into the same silence"
    reads.is_away = False
    log.tell(cache)
    assert (await cache.find(tenant)).policy == Policy(store="deny")


async def test_a_change_heard_of_during_a_read_is_read_as_well(
    cache: PolicyCache, policies: Policies, tenant: Tenant, log: Log
) -> None:
    log.tell(cache)
    first = asyncio.ensure_future(cache.find(tenant))
    while cache._rules._flight is None:
        await asyncio.sleep(0)
    while cache._rules._flight is not None and not cache._rules._flight.done():
        await asyncio.sleep(0)
    policies.change("acme", given={"store": "deny"})
    log.tell(cache)
    assert (await first).policy == Policy(store="deny")


async def test_after_a_log_that_begins_anew_all_is_read_again(
    cache: PolicyCache, policies: Policies, tenant: Tenant, engine: Engine
) -> None:
    policies.change("acme", given={"store": "deny"})
    await cache.find(tenant)
    with write_transaction(engine) as connection:  # as restored from a backup, and changed since
        connection.execute(update(schema.policy).values(document='{"store":"allow"}'))
    cache._rules.hear(News(newest=0, asked_seconds=0.0, changes=None))
    assert (await cache.find(tenant)).policy == Policy(store="allow")


async def test_many_who_wait_ask_once(cache: PolicyCache, tenant: Tenant, reads: Reads) -> None:
    await asyncio.gather(*(cache.find(tenant) for _ in range(20)))
    assert reads.count == 1


async def test_known_policies_stay_while_the_database_is_away(
    cache: PolicyCache, policies: Policies, tenant: Tenant, clock: Clock, reads: Reads
) -> None:
    policies.change("acme", given={"store": "deny"})
    await cache.find(tenant)
    reads.is_away = True
    for _ in range(3):
        clock.now += 0.4
        assert (await cache.find(tenant)).policy == Policy(store="deny")
    assert reads.count == 2, "all do not ask into the same silence"
    clock.now += 300
    with pytest.raises(LedgerUnavailable):
        await cache.find(tenant)
    reads.is_away = False
    clock.now += 2
    assert (await cache.find(tenant)).policy == Policy(store="deny")


async def test_without_any_policy_read_nothing_is_admitted(
    cache: PolicyCache, tenant: Tenant, reads: Reads
) -> None:
    reads.is_away = True
    with pytest.raises(LedgerUnavailable):
        await cache.find(tenant)


async def test_a_policy_that_cannot_be_read_admits_nothing(
    cache: PolicyCache, policies: Policies, tenant: Tenant, engine: Engine
) -> None:
    policies.change("acme", given={"store": "deny"})
    with write_transaction(engine) as connection:
        connection.execute(update(schema.policy).values(document='{"from_the_future": 1}'))
    with pytest.raises(GatewayError, match="policy of acme cannot be read"):
        await cache.find(tenant)
    assert (await cache.find(Tenant(path="other", key_id="k"))).policy == Policy()


async def test_what_is_kept_is_bounded(cache: PolicyCache, tenant: Tenant) -> None:
    await cache.find(tenant)
    for number in range(KEPT_MAX):
        await cache.find(Tenant(path="acme", key_id=f"k{number}"))
    assert len(cache._kept) == KEPT_MAX
    assert tenant not in cache._kept


async def test_who_comes_in_the_moment_between_read_and_known_is_served(
    cache: PolicyCache, tenant: Tenant
) -> None:
    first = asyncio.ensure_future(cache.find(tenant))
    while cache._rules._flight is None:
        await asyncio.sleep(0)
    while cache._rules._flight is not None and not cache._rules._flight.done():
        await asyncio.sleep(0)  # as a busy loop comes by: in the very turn in which it is read
    assert (await cache.find(tenant)).policy == (await first).policy
