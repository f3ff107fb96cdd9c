"""What administrators write for requests to go by, whole in memory: policies, and prices.

Both are few. They stand for as long as the log of changes is heard and names none of them; without
the log they are asked for again after the freshness. Not here: writing them (`policies`,
`overrides`), or what policies come to for a key (`policy_cache`).
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.changes import POLICY, PRICE, News, newest_change
from gateway.adapters.overrides import laid_over
from gateway.core.errors import LedgerUnavailable
from gateway.core.policy import Policy, policy_from_json
from gateway.core.price_book import PriceBook

# Where the log is not heard, a change is seen within the freshness, and the time of one read.
FRESH_SECONDS = 1.5
READ_SECONDS_MAX = 0.2
FIRST_READ_SECONDS_MAX = 1.0  # while nothing that stands is known there is nothing to fall back on
AWAY_SECONDS = 1.0

_KINDS = frozenset({POLICY, PRICE})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that is in force."""

    newest: int  # number of the last change that they contain
    policies: Mapping[str, Policy | None]  # by subject; None: cannot be read
    book: PriceBook


class RulesCache:
    """The rules, for one event loop. On the price book of the files lies what the database has."""

    def __init__(
        self,
        *,
        engine: Engine,
        files: PriceBook,
        clock: Callable[[], float] = monotonic,
        fresh_seconds: float = FRESH_SECONDS,
        stale_seconds_max: float = 300.0,
    ) -> None:
        self._engine = engine
        self.files = files
        self._clock = clock
        self._fresh_seconds = min(fresh_seconds, stale_seconds_max)
        self._stale_seconds_max = stale_seconds_max
        self._known: Rules | None = None
        self._outdated = 0  # rules that do not contain this change are of no use
        self._read_at = -math.inf  # seconds of the clock at which they were in force
        self._heard = -math.inf
        self._away_until = -math.inf
        self._flight: asyncio.Future[None] | None = None

    @property
    def known_book(self) -> PriceBook:
        """The prices as they were read last: for what was admitted by them."""
        return self.files if self._known is None else self._known.book

    def hear(self, news: News) -> None:
        """The log was read to its end: what it changed is read before the next request."""
        if news.changes is None and self._known is not None:
            # Numbers of another log, maybe: none of ours is to be compared with them.
            self._known = replace(self._known, newest=-1)
        if news.changes is None or any(change.kind in _KINDS for change in news.changes):
            self._outdated = news.newest
        self._heard = max(self._heard, news.asked_seconds)
        self._away_until = -math.inf

    async def current(self) -> Rules:
        """What is in force. Raises LedgerUnavailable when none has been read for too long."""
        known = self._known
        if known is None or not self._stands(self._fresh_seconds):
            known = await self._renewed()
        return known

    async def book(self) -> PriceBook:
        """The prices in force. Raises LedgerUnavailable as `current` does."""
        return (await self.current()).book

    async def _renewed(self) -> Rules:
        if self._clock() >= self._away_until:
            await self._refresh()
        if self._known is None or not self._stands(self._stale_seconds_max):
            raise LedgerUnavailable
        return self._known

    def _stands(self, seconds_max: float) -> bool:
        """Whether what is known was in force so long ago at most, and nothing newer is known of."""
        if self._known is None or self._known.newest < self._outdated:
            return False
        return self._clock() - max(self._read_at, self._heard) <= seconds_max

    async def _refresh(self) -> None:
        is_usable = self._stands(self._stale_seconds_max)
        try:
            async with asyncio.timeout(READ_SECONDS_MAX if is_usable else FIRST_READ_SECONDS_MAX):
                while not self._stands(self._fresh_seconds):
                    await asyncio.shield(self._reading())
        except (SQLAlchemyError, OSError):  # a timeout is an OSError too
            # Known rules stay in force for a while; all do not wait for the same silence.
            self._away_until = self._clock() + AWAY_SECONDS

    def _reading(self) -> asyncio.Future[None]:
        """One question for all who wait."""
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._take_over(self._clock()))
        return self._flight

    async def _take_over(self, asked: float) -> None:
        """Read, even if all who waited have left. When this is done, what was read is in force."""
        try:
            self._known = await asyncio.get_running_loop().run_in_executor(None, self._read)
        finally:
            self._flight = None
        self._read_at = asked

    def _read(self) -> Rules:
        known = self._known
        with self._engine.connect() as connection:
            # First: a change that comes in between is read now, and once more the next time.
            newest = newest_change(connection)
            if known is not None and known.newest == newest:
                return known
            rows = connection.execute(select(schema.policy.c.subject, schema.policy.c.document))
            return Rules(
                newest=newest,
                policies={row.subject: _readable(row.subject, row.document) for row in rows},
                book=laid_over(connection, self.files),
            )


def _readable(subject: str, document: str) -> Policy | None:
    try:
        return policy_from_json(document)
    except ValueError:
        log.exception("the policy of %s cannot be read: its requests are refused", subject)
        return None
