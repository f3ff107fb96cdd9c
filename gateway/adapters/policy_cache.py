"""The policy in force for a key, from memory: all documents, read again when one has changed.

Documents are few, so they are kept whole: a request costs no database, and an asked-for change log
costs one number. What cannot be read admits nothing. Not here: writing them (`policies`).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.changes import newest_change
from gateway.core.errors import GatewayError, LedgerUnavailable
from gateway.core.inheritance import Effective, Level, effective
from gateway.core.policy import Policy, policy_from_json
from gateway.core.tenant import Tenant, ancestry

# A change is seen within the freshness, and the time of one read.
FRESH_SECONDS = 1.0
READ_SECONDS_MAX = 0.2
FIRST_READ_SECONDS_MAX = 1.0  # while nothing is known there is nothing to fall back on
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
        self._read_at = float("-inf")  # when what is known was true
        self._asked_at = float("-inf")  # when it was last asked for
        self._flight: asyncio.Future[None] | None = None
        self._kept: dict[Tenant, Effective] = {}

    def forget(self) -> None:
        """Something has changed: the next request reads it."""
        self._asked_at = float("-inf")

    async def find(self, tenant: Tenant) -> Effective:
        """The policy in force. Raises LedgerUnavailable when none has been read for too long."""
        if self._clock() - self._asked_at > self._fresh_seconds:
            await self._refresh()
        if self._clock() - self._read_at > self._stale_seconds_max:
            raise LedgerUnavailable
        kept = self._kept.get(tenant)
        return self._combined(tenant) if kept is None else kept

    async def _refresh(self) -> None:
        seconds_max = FIRST_READ_SECONDS_MAX if self._documents is None else READ_SECONDS_MAX
        try:
            async with asyncio.timeout(seconds_max):
                await asyncio.shield(self._reading())
        except (SQLAlchemyError, OSError):  # a timeout is an OSError too
            # Known policies stay in force for a while; all do not wait for the same silence.
            self._asked_at = self._clock()

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
        self._asked_at = self._read_at = asked

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
