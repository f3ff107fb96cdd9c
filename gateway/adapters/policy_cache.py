"""The policy in force for a key, from memory: all documents, read again when one has changed.

Documents are few, so they are kept whole. They stand for as long as the log of changes is heard and
names no policy; without the log they are asked for again after the freshness. What cannot be read
admits nothing. Not here: writing them (`policies`).
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.changes import POLICY, News, newest_change
from gateway.core.errors import GatewayError, LedgerUnavailable
from gateway.core.inheritance import Effective, Level, effective
from gateway.core.policy import Policy, policy_from_json
from gateway.core.tenant import Tenant, ancestry

# Where the log is not heard, a change is seen within the freshness, and the time of one read.
FRESH_SECONDS = 1.5
READ_SECONDS_MAX = 0.2
FIRST_READ_SECONDS_MAX = 1.0  # while nothing that stands is known there is nothing to fall back on
AWAY_SECONDS = 1.0
KEPT_MAX = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    newest: int  # number of the last change that they contain
    policies: dict[str, Policy | None]  # by subject; None: cannot be read


class PolicyCache:
    """Policies by tenant and key, for one event loop."""

    def __init__(
        self,
        *,
        engine: Engine,
        clock: Callable[[], float] = monotonic,
        fresh_seconds: float = FRESH_SECONDS,
        stale_seconds_max: float = 300.0,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._stale_seconds_max = stale_seconds_max
        self._documents: _Documents | None = None
        self._outdated = 0  # documents that do not contain this change are of no use
        self._read_at = -math.inf  # seconds of the clock at which they were in force
        self._heard = -math.inf
        self._away_until = -math.inf
        self._flight: asyncio.Future[None] | None = None
        self._kept: dict[Tenant, Effective] = {}

    def hear(self, news: News) -> None:
        """The log was read to its end: what it changed is read before the next request."""
        if news.changes is None and self._documents is not None:
            # Numbers of another log, maybe: none of ours is to be compared with them.
            self._documents = replace(self._documents, newest=-1)
        if news.changes is None or any(change.kind == POLICY for change in news.changes):
            self._outdated = news.newest
        self._heard = max(self._heard, news.asked_seconds)
        self._away_until = -math.inf

    async def find(self, tenant: Tenant) -> Effective:
        """The policy in force. Raises LedgerUnavailable when none has been read for too long."""
        if not self._stands(self._fresh_seconds) and self._clock() >= self._away_until:
            await self._refresh()
        if not self._stands(self._stale_seconds_max):
            raise LedgerUnavailable
        kept = self._kept.get(tenant)
        return self._combined(tenant) if kept is None else kept

    def _stands(self, seconds_max: float) -> bool:
        """Whether what is known was in force so long ago at most, and nothing newer is known of."""
        if self._documents is None or self._documents.newest < self._outdated:
            return False
        return self._clock() - max(self._read_at, self._heard) <= seconds_max

    async def _refresh(self) -> None:
        is_usable = self._stands(self._stale_seconds_max)
        try:
            async with asyncio.timeout(READ_SECONDS_MAX if is_usable else FIRST_READ_SECONDS_MAX):
                while not self._stands(self._fresh_seconds):
                    await asyncio.shield(self._reading())
        except (SQLAlchemyError, OSError):  # a timeout is an OSError too
            # Known policies stay in force for a while; all do not wait for the same silence.
            self._away_until = self._clock() + AWAY_SECONDS

    def _reading(self) -> asyncio.Future[None]:
        """One question for all who wait."""
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._take_over(self._clock()))
        return self._flight

    async def _take_over(self, asked: float) -> None:
        """Read, even if all who waited have left. When this is done, what was read is in force."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, self._read)
        finally:
            self._flight = None
        if found is not self._documents:
            self._documents = found
            self._kept.clear()
        self._read_at = asked

    def _read(self) -> _Documents:
        known = self._documents
        with self._engine.connect() as connection:
            # First: a change that comes in between is read now, and once more the next time.
            newest = newest_change(connection)
            if known is not None and known.newest == newest:
                return known
            rows = connection.execute(select(schema.policy.c.subject, schema.policy.c.document))
            policies = {row.subject: _readable(row.subject, row.document) for row in rows}
        return _Documents(newest=newest, policies=policies)

    def _combined(self, tenant: Tenant) -> Effective:
        assert self._documents is not None
        policies = self._documents.policies
        levels = []
        for subject in (*ancestry(tenant.path), tenant.key_id):
            if subject not in policies:
                continue
            policy = policies[subject]
            if policy is None:
                raise GatewayError(f"The policy of {subject} cannot be read by this gateway.")
            levels.append(Level(subject=subject, policy=policy))
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[tenant] = found = effective(levels)
        return found


def _readable(subject: str, document: str) -> Policy | None:
    try:
        return policy_from_json(document)
    except ValueError:
        log.exception("the policy of %s cannot be read: its requests are refused", subject)
        return None
