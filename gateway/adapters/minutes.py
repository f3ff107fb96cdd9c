"""Requests and tokens per minute, of a key or of a tenant with all below it. Budgets are the wall.

A window begins with its first request or token and lasts a minute. It is in this process' memory,
or in a Redis or Valkey that several share. A store that does not answer stops nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError

from gateway.core.errors import RateExceeded
from gateway.core.exchange import Exchange
from gateway.core.inheritance import Level

STORE_SECONDS_MAX = 0.25
AWAY_SECONDS = 1.0  # in which a store that did not answer is not asked again
QUEUE_MAX = 10_000
KEYS_MAX = 10_000
_NAME = "gateway"
_REQUESTS, _TOKENS = "requests", "tokens"

log = logging.getLogger(__name__)


class StoreUnusable(ValueError):
    """The store cannot be used from here."""


def store_for(url: str | None) -> Storage:
    """Windows in a Redis or Valkey, or in memory. Raises StoreUnusable."""
    if url is None:
        return MemoryStorage()
    address = "async+" + url.replace("valkey", "redis", 1)  # they speak the same
    try:
        return RedisStorage(
            address, wrap_exceptions=True, implementation="redispy", key_prefix=_NAME
        )
    except ConfigurationError:
        raise StoreUnusable(
            "limits.store_url needs the redis package: pip install 'responses-gateway[redis]'"
        ) from None


class Minutes:
    """What was asked for in the minute, against what may be. To be told of every exchange."""

    def __init__(
        self,
        store: Storage,
        *,
        on_failure: Callable[[], None],
        clock: Callable[[], float] = monotonic,
        seconds_max: float = STORE_SECONDS_MAX,
    ) -> None:
        self._store = store
        self._limiter = FixedWindowRateLimiter(store)
        self._on_failure = on_failure
        self._clock = clock
        self._seconds_max = seconds_max
        self._away_until = 0.0
        self._levels: dict[str, tuple[Level, ...]] = {}  # by keys whose tokens are limited
        self._used: asyncio.Queue[tuple[tuple[Level, ...], int]] = asyncio.Queue(QUEUE_MAX)

    async def admit(self, levels: tuple[Level, ...], *, key_id: str) -> None:
        """Count a request of a key against the limits on its way. Raises RateExceeded."""
        self._remember(key_id, levels)
        if not levels or self._clock() < self._away_until:
            return
        try:
            async with asyncio.timeout(self._seconds_max):
                refused = await self._refused(levels)
        except (StorageError, OSError) as error:  # a timeout is an OSError too
            self._fail(error)
            return
        if refused is not None:
            raise refused

    def __call__(self, exchange: Exchange) -> None:
        """What an exchange used is counted soon."""
        levels, usage = self._levels.get(exchange.hold.key_id), exchange.usage
        if levels is not None and usage is not None:
            with suppress(asyncio.QueueFull):
                self._used.put_nowait((levels, usage.input_tokens + usage.output_tokens))

    async def run(self) -> None:
        """Count what exchanges used, until cancelled."""
        while True:
            levels, tokens = await self._used.get()
            if self._clock() < self._away_until:
                continue
            try:
                async with asyncio.timeout(self._seconds_max):
                    for item, subject in _limits(levels, _TOKENS):
                        await self._limiter.hit(item, _TOKENS, subject, cost=tokens)
            except (StorageError, OSError) as error:
                self._fail(error)

    async def aclose(self) -> None:
        """Close what is open to the store."""
        if isinstance(self._store, RedisStorage):
            bridge: Any = self._store.bridge  # the library has no word of its own for it
            await bridge.get_connection().aclose()

    def _remember(self, key_id: str, levels: tuple[Level, ...]) -> None:
        self._levels.pop(key_id, None)
        if any(level.policy.tokens_per_minute_max for level in levels):
            self._levels[key_id] = levels
            if len(self._levels) > KEYS_MAX:
                del self._levels[next(iter(self._levels))]

    async def _refused(self, levels: Sequence[Level]) -> RateExceeded | None:
        for item, subject in _limits(levels, _TOKENS):
            if not await self._limiter.test(item, _TOKENS, subject):
                return await self._told(item, _TOKENS, subject)
        # From the key upwards: what it is refused for its own limit is not counted above it.
        for item, subject in reversed(_limits(levels, _REQUESTS)):
            if not await self._limiter.hit(item, _REQUESTS, subject):
                return await self._told(item, _REQUESTS, subject)
        return None

    async def _told(self, item: RateLimitItem, what: str, subject: str) -> RateExceeded:
        window = await self._limiter.get_window_stats(item, what, subject)
        left_ms = max(1, round((window.reset_time - time()) * 1000))
        return RateExceeded(
            f"The limit of {subject} is reached ({what} a minute: {item.amount:,}). "
            f"It resets in {left_ms / 1000:.1f} seconds.",
            retry_after_ms=left_ms,
        )

    def _fail(self, error: Exception) -> None:
        self._away_until = self._clock() + AWAY_SECONDS
        self._on_failure()
        said = str(error) or type(error).__name__
        log.warning("the store of limits per minute does not answer: none is kept (%s)", said)


def _limits(levels: Sequence[Level], what: str) -> list[tuple[RateLimitItem, str]]:
    """Each level's own limit of requests or tokens, root first."""
    found = [(getattr(level.policy, f"{what}_per_minute_max"), level.subject) for level in levels]
    return [
        (RateLimitItemPerMinute(most, namespace=_NAME), subject) for most, subject in found if most
    ]
