"""Whose request this is: keys found at first use and kept in memory, bounded and fresh.

A hit costs no database. What is known is asked again when it is older than the freshness; while the
database is away, known keys stay valid for a longer time. Not here: making keys (`directory`).
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.core.errors import LedgerUnavailable
from gateway.core.tenant import PresentedKey, Tenant, ancestry

REFUSED_SECONDS_MAX = 1.0
LOOKUP_SECONDS_MAX = 1.0
_NO_DIGEST = bytes(32)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    tenant: Tenant
    digest: bytes
    expires_at_us: int | None
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
        # Insertion order is the order of eviction: a key in use is inserted anew at every refresh.
        self._known: dict[str, _Known] = {}
        self._refused: dict[bytes, float] = {}
        self._flights: dict[str, asyncio.Future[_Known | None]] = {}

    def cached(self, presented: PresentedKey) -> Tenant | None:
        """The tenant from memory; None when the database has to be asked."""
        known = self._known.get(presented.id)
        tenant = self._proven(known, presented)
        return tenant if known is not None and self._is_fresh(known) else None

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
        digest = _NO_DIGEST if known is None else known.digest
        is_right = hmac.compare_digest(digest, presented.digest)
        if known is None or not is_right:
            return None
        is_expired = known.expires_at_us is not None and known.expires_at_us <= self._now_us()
        return None if is_expired else known.tenant

    async def _refreshed(self, key_id: str) -> _Known | None:
        """The key as the database has it now; as it was, when the database is away."""
        asked = self._clock()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS_MAX):
                known = await asyncio.shield(self._flight(key_id, asked))
        except (SQLAlchemyError, OSError) as error:  # a timeout is an OSError too
            stale = self._known.get(key_id)
            if stale is None or self._age(stale) > self._stale_seconds_max:
                raise LedgerUnavailable from error
            return stale
        if known is None:
            self._known.pop(key_id, None)
        else:
            _keep(self._known, key_id, known, self._cached_max)
        return known

    def _flight(self, key_id: str, asked: float) -> asyncio.Future[_Known | None]:
        """One question for all who wait for the same key."""
        flight = self._flights.get(key_id)
        if flight is None:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(None, self._read, key_id, asked)
            self._flights[key_id] = flight
            flight.add_done_callback(lambda done: self._landed(key_id, done))
        return flight

    def _landed(self, key_id: str, flight: asyncio.Future[_Known | None]) -> None:
        del self._flights[key_id]
        if not flight.cancelled():
            flight.exception()  # whoever still waits raises it; if all have left, it is of no use

    def _read(self, key_id: str, asked: float) -> _Known | None:
        table = schema.api_key.c
        with self._engine.connect() as connection:
            key = connection.execute(
                select(table.tenant, table.digest, table.expires_at_us).where(
                    table.id == key_id, table.revoked_at_us.is_(None)
                )
            ).one_or_none()
            if key is None:
                return None
            suspended = select(schema.tenant.c.path).where(
                schema.tenant.c.path.in_(ancestry(key.tenant)),
                schema.tenant.c.suspended_at_us.is_not(None),
            )
            if connection.execute(suspended).first() is not None:
                return None
        return _Known(
            tenant=Tenant(path=key.tenant, key_id=key_id),
            digest=bytes(key.digest),
            expires_at_us=key.expires_at_us,
            checked=asked,
        )

    def _is_fresh(self, known: _Known) -> bool:
        return self._age(known) <= self._fresh_seconds

    def _age(self, known: _Known) -> float:
        return self._clock() - known.checked

    def _refused_until(self) -> float:
        return self._clock() + min(REFUSED_SECONDS_MAX, self._fresh_seconds)


def _keep(cache: dict[K, V], key: K, value: V, size_max: int) -> None:
    cache.pop(key, None)
    if len(cache) >= size_max:
        del cache[next(iter(cache))]
    cache[key] = value
