"""Whose request this is: keys found at first use and kept in memory, bounded and fresh.

A hit costs no database. What is known is fresh for as long as the log of changes is heard and names
nothing of it; without the log it is asked again after the freshness; while the database is away,
known keys stay valid for a longer time. Not here: making keys (`directory`), asking (`keyring`).
"""

import asyncio
import hmac
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters.changes import KEY, TENANT, Change, News
from gateway.adapters.keyring import Finding, StandingKey, find_key
from gateway.core.errors import LedgerUnavailable
from gateway.core.tenant import PresentedKey, Tenant, ancestry

log = logging.getLogger(__name__)

REFUSED_SECONDS_MAX = 1.0
LOOKUP_SECONDS_MAX = 1.0
RENEWAL_SECONDS_MAX = 0.25  # of what is known, and can be believed a little longer
AWAY_SECONDS = 0.5
LOOKUPS_MAX = 3
_NO_DIGEST = bytes(32)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    key: StandingKey
    checked: float  # seconds of the monotonic clock


class Tenants:
    """Keys to tenants, for one event loop."""

    def __init__(
        self,
        *,
        engine: Engine,
        now_us: Callable[[], int],
        clock: Callable[[], float] = monotonic,
        fresh_seconds: float = 2.0,
        stale_seconds_max: float = 300.0,
        cached_max: int = 10_000,
    ) -> None:
        self._engine = engine
        self._now_us = now_us
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._stale_seconds_max = stale_seconds_max
        self._cached_max = cached_max
        self._renewal_seconds_max = RENEWAL_SECONDS_MAX
        # Insertion order is the order of eviction: a key in use is inserted anew at every refresh.
        self._known: dict[str, _Known] = {}
        self._refused: dict[bytes, float] = {}
        self._flights: dict[str, asyncio.Future[Finding]] = {}
        self._position = 0  # in the log of changes: all up to it are dropped
        self._heard = -math.inf
        self._away_until = -math.inf

    def hear(self, news: News) -> None:
        """The log was read to its end: drop what it names."""
        if news.changes is None:
            self._known.clear()
            self._refused.clear()
        elif news.changes:
            self._drop(news.changes)
        self._position = news.newest
        self._heard = max(self._heard, news.asked_seconds)

    def _drop(self, changes: tuple[Change, ...]) -> None:
        self._refused.clear()
        for change in changes:
            if change.kind == KEY:
                self._known.pop(change.subject, None)
        paths = {change.subject for change in changes if change.kind == TENANT}
        if paths:
            self._known = {
                key_id: known
                for key_id, known in self._known.items()
                if paths.isdisjoint(ancestry(known.key.tenant.path))
            }

    def cached(self, presented: PresentedKey) -> Tenant | None:
        """The tenant from memory; None when the database has to be asked."""
        known = self._known.get(presented.id)
        tenant = self._proven(known, presented)
        return tenant if known is not None and self._is_fresh(known) else None

    def is_known(self, presented: PresentedKey) -> bool:
        """Whether memory holds the key as right, though it may have to be asked about again."""
        return self._proven(self._known.get(presented.id), presented) is not None

    async def lookup(self, presented: PresentedKey) -> Tenant | None:
        """The tenant by the database's word; None: unknown, wrong, expired, revoked, suspended.

        Raises LedgerUnavailable when the database is away and the key was not known before.
        """
        if self._clock() < self._refused.get(presented.digest, 0):
            return None
        known = self._known.get(presented.id)
        if known is None or not self._is_fresh(known):
            known = await self._refreshed(presented.id)
        tenant = self._proven(known, presented)
        if tenant is None:
            _keep(self._refused, presented.digest, self._refused_until(), self._cached_max)
        return tenant

    def _proven(self, known: _Known | None, presented: PresentedKey) -> Tenant | None:
        # An unknown id is compared as well: the time must not tell which ids exist.
        digest = _NO_DIGEST if known is None else known.key.digest
        is_right = hmac.compare_digest(digest, presented.digest)
        if known is None or not is_right:
            return None
        return None if known.key.is_expired(self._now_us()) else known.key.tenant

    async def _refreshed(self, key_id: str) -> _Known | None:
        """The key as the database has it now; as it was, when the database is away."""
        if self._clock() < self._away_until:
            return self._stale(key_id)
        try:
            known = await self._asked(key_id)
        except (SQLAlchemyError, OSError) as error:  # a timeout is an OSError too
            log.warning("a key could not be looked up: %s", error)
            self._away_until = self._clock() + AWAY_SECONDS
            return self._stale(key_id)
        if known is None:
            self._known.pop(key_id, None)
        else:
            _keep(self._known, key_id, known, self._cached_max)
        return known

    def _stale(self, key_id: str) -> _Known:
        stale = self._known.get(key_id)
        if stale is None or self._age(stale) > self._stale_seconds_max:
            raise LedgerUnavailable
        return stale

    async def _asked(self, key_id: str) -> _Known | None:
        limit = self._renewal_seconds_max if key_id in self._known else LOOKUP_SECONDS_MAX
        for _ in range(LOOKUPS_MAX):
            checked = self._clock()
            async with asyncio.timeout(limit):
                found = await asyncio.shield(self._flight(key_id))
            # A change that was dropped while this was read would never be dropped again.
            if found.newest >= self._position:
                return None if found.key is None else _Known(key=found.key, checked=checked)
        raise ConnectionError("changes come faster than they can be read")

    def _flight(self, key_id: str) -> asyncio.Future[Finding]:
        """One question for all who wait for the same key."""
        flight = self._flights.get(key_id)
        if flight is None:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(None, self._read, key_id)
            self._flights[key_id] = flight
            flight.add_done_callback(lambda done: self._landed(key_id, done))
        return flight

    def _landed(self, key_id: str, flight: asyncio.Future[Finding]) -> None:
        del self._flights[key_id]
        if not flight.cancelled():
            flight.exception()  # whoever still waits raises it; if all have left, it is of no use

    def _read(self, key_id: str) -> Finding:
        with self._engine.connect() as connection:
            return find_key(connection, key_id)

    def _is_fresh(self, known: _Known) -> bool:
        age = self._age(known)
        is_away = self._clock() < self._away_until
        return age <= (self._stale_seconds_max if is_away else self._fresh_seconds)

    def _age(self, known: _Known) -> float:
        return self._clock() - max(known.checked, self._heard)

    def _refused_until(self) -> float:
        return self._clock() + min(REFUSED_SECONDS_MAX, self._fresh_seconds)


def _keep(cache: dict[K, V], key: K, value: V, size_max: int) -> None:
    cache.pop(key, None)
    if len(cache) >= size_max:
        del cache[next(iter(cache))]
    cache[key] = value
