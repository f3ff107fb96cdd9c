"""Limits per minute: whose they are, what they count, and what happens without their store."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from limits.aio.storage import MemoryStorage

from gateway.adapters.minutes import AWAY_SECONDS, Minutes, StoreUnusable, store_for
from gateway.core.errors import RateExceeded
from gateway.core.exchange import Exchange
from gateway.core.inheritance import Level
from gateway.core.policy import Policy
from tests import builders
from tests.fakes.redisserver import RedisServer

KEY = "k00000000001"
WAIT_SECONDS_MAX = 20


class Desk:
    """Minutes with a clock that stands, and how often their store failed."""

    def __init__(self, url: str | None = None, seconds_max: float = WAIT_SECONDS_MAX) -> None:
        self.now = 1.0
        self.failures = 0
        self.store = store_for(url)
        self.minutes = Minutes(
            self.store,
            on_failure=self._fail,
            clock=lambda: self.now,
            seconds_max=seconds_max,
        )

    def _fail(self) -> None:
        self.failures += 1

    async def ask(self, *levels: Level, key_id: str = KEY) -> RateExceeded | None:
        try:
            await self.minutes.admit(levels, key_id=key_id)
        except RateExceeded as refused:
            return refused
        return None

    async def passes(self, *levels: Level, key_id: str = KEY) -> bool:
        return await self.ask(*levels, key_id=key_id) is None


@asynccontextmanager
async def standing(
    url: str | None = None, seconds_max: float = WAIT_SECONDS_MAX
) -> AsyncIterator[Desk]:
    """A desk that also counts what exchanges used."""
    desk = Desk(url, seconds_max)
    counting = asyncio.ensure_future(desk.minutes.run())
    try:
        yield desk
    finally:
        counting.cancel()
        await desk.minutes.aclose()


@pytest.fixture(params=["memory", "redis", "valkey"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with RedisServer() as server:
        urls = {"redis": server.url, "valkey": server.url.replace("redis", "valkey")}
        async with standing(urls.get(request.param)) as one:
            yield one


def requests(subject: str, most: int) -> Level:
    return Level(subject=subject, policy=Policy(requests_per_minute_max=most))


def tokens(subject: str, most: int) -> Level:
    return Level(subject=subject, policy=Policy(tokens_per_minute_max=most))


def used(count: int, key_id: str = KEY) -> Exchange:
    usage = builders.usage(input_tokens=count - 1, output_tokens=1)
    return builders.exchange(hold=builders.hold(key_id=key_id), usage=usage)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not holds():
            await asyncio.sleep(0.005)


async def until_refused(desk: Desk, *levels: Level) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while await desk.passes(*levels):
            await asyncio.sleep(0.005)


async def test_as_many_requests_as_may_be_pass_in_a_minute(desk: Desk) -> None:
    level = requests("acme", 2)
    assert [await desk.passes(level) for _ in range(4)] == [True, True, False, False]
    assert await desk.passes(requests("beta", 2))


async def test_a_refusal_says_whose_limit_it_was_and_when_it_ends(desk: Desk) -> None:
    level = requests("acme", 1)
    await desk.ask(level)
    refused = await desk.ask(level)
    assert refused is not None
    assert refused.message.startswith("The limit of acme is reached (requests a minute: 1).")
    assert refused.retry_after_ms is not None
    assert 0 < refused.retry_after_ms <= 60_000


async def test_a_new_minute_begins_afresh() -> None:
    desk = Desk()
    level = requests("acme", 1)
    assert await desk.passes(level)
    assert not await desk.passes(level)
    await desk.store.reset()
    assert await desk.passes(level)


async def test_each_level_counts_for_its_own(desk: Desk) -> None:
    tenant, first, second = requests("acme", 3), requests("k1", 2), requests("k2", 2)
    for key in (first, first, second):
        assert await desk.passes(tenant, key)
    refused = await desk.ask(tenant, second)
    assert refused is not None
    assert refused.message.startswith("The limit of acme is")


async def test_what_a_key_is_refused_is_not_counted_above_it(desk: Desk) -> None:
    tenant, busy, quiet = requests("acme", 3), requests("k1", 1), requests("k2", 1)
    assert await desk.passes(tenant, busy)
    assert not any([await desk.passes(tenant, busy) for _ in range(5)])
    assert await desk.passes(tenant, quiet)


async def test_tokens_count_when_an_exchange_has_ended(desk: Desk) -> None:
    tenant, key = tokens("acme", 100), requests(KEY, 1000)
    assert await desk.passes(tenant, key)
    desk.minutes(used(99))
    assert await desk.passes(tenant, key)
    desk.minutes(used(500))
    await until_refused(desk, tenant)
    refused = await desk.ask(tenant, key_id="another")
    assert refused is not None
    assert refused.message.startswith("The limit of acme is reached (tokens a minute: 100).")


async def test_what_is_refused_for_its_tokens_is_no_request() -> None:
    async with standing() as desk:
        both = Policy(requests_per_minute_max=2, tokens_per_minute_max=1)
        level = Level(subject="acme", policy=both)
        assert await desk.passes(level)
        desk.minutes(used(5))
        await until(desk.minutes._used.empty)
        await asyncio.sleep(0)
        assert not any([await desk.passes(level) for _ in range(5)])
        assert await desk.passes(requests("acme", 2))


async def test_tokens_of_keys_without_a_limit_are_not_counted() -> None:
    desk = Desk()
    await desk.ask(tokens("acme", 1))
    await desk.ask(requests("acme", 100))  # since then it is limited no more
    desk.minutes(used(5))
    desk.minutes(used(5, key_id="another"))
    await desk.ask(tokens("acme", 1))
    desk.minutes(builders.exchange(usage=None, cost_pusd=None, lines=()))
    assert desk.minutes._used.empty()


async def test_what_is_remembered_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.minutes.KEYS_MAX", 2)
    desk = Desk()
    for key_id in ("k1", "k2", "k3"):
        await desk.ask(tokens("acme", 1), key_id=key_id)
        desk.minutes(used(1, key_id="k1"))
    assert desk.minutes._used.qsize() == 2


async def test_what_waits_to_be_counted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.minutes.QUEUE_MAX", 2)
    desk = Desk()
    await desk.ask(tokens("acme", 1))
    for _ in range(3):
        desk.minutes(used(1))
    assert desk.minutes._used.qsize() == 2


async def test_processes_with_one_store_count_together() -> None:
    async with RedisServer() as server, standing(server.url) as one, standing(server.url) as other:
        level = requests("acme", 2)
        assert await one.passes(level)
        assert await other.passes(level)
        assert not await one.passes(level)
        assert not await other.passes(level)
    assert server.connections == 0


async def test_a_silent_store_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with RedisServer() as server, standing(server.url, seconds_max=0.05) as desk:
        level = requests("acme", 1)
        server.is_silent = True
        assert await desk.passes(level)
        assert (desk.failures, len(server.commands) > 0) == (1, True)
        asked = len(server.commands)
        assert await desk.passes(level)
        assert (desk.failures, len(server.commands)) == (1, asked)
        assert "does not answer" in caplog.text
        desk.now += AWAY_SECONDS
        assert await desk.passes(level)
        assert desk.failures == 2


async def test_a_store_that_is_back_is_asked_again() -> None:
    async with RedisServer() as server, standing(server.url) as desk:
        desk.minutes._away_until = desk.now + AWAY_SECONDS
        level = requests("acme", 1)
        assert [await desk.passes(level) for _ in range(2)] == [True, True]
        desk.now += AWAY_SECONDS
        assert [await desk.passes(level) for _ in range(2)] == [True, False]


async def test_a_store_that_is_away_stops_nobody() -> None:
    async with standing("redis://127.0.0.1:9/0") as desk:
        level = tokens("acme", 1)
        assert await desk.passes(level)
        desk.now += AWAY_SECONDS
        desk.minutes(used(1))
        await until(lambda: desk.failures == 2)
        desk.minutes(used(1))
        await until(desk.minutes._used.empty)
        assert desk.failures == 2


def test_without_an_address_windows_are_in_memory() -> None:
    assert isinstance(store_for(None), MemoryStorage)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(StoreUnusable, match=r"pip install 'responses-gateway\[redis\]'"):
        store_for("redis://127.0.0.1:6379/0")
