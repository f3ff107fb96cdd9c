"""What administrators changed: written with it, followed by every process. Not here: caches.

A number is read with every batch of the ledger and twice a second when it is idle; what is new is
then told to those who cache. SQLite's `data_version` would move at every commit, and PostgreSQL's
NOTIFY is lost while the listener is away: neither serves.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, text

from gateway.adapters import schema
from gateway.core.tenant import ancestry

KEY = "key"
TENANT = "tenant"
BUDGET = "budget"
POLICY = "policy"
PRICE = "price"
RIGHTS = frozenset({KEY, TENANT})  # what lets a request in

CHANGES_MAX = 1_000
# Longer than any request takes from its key's lookup to its hold.
TOUCHED_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: of a key (its id), a tenant with all below it (its path), a policy or a price."""

    kind: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The log, read to its end: up to which number, when, and what was new."""

    newest: int
    asked_seconds: float  # of the monotonic clock, before it was read
    changes: tuple[Change, ...] | None  # None: anything may have changed


def record_change(connection: Connection, kind: str, subject: str) -> None:
    """Append to the log, in the transaction of the change itself."""
    if connection.dialect.name == "postgresql":
        # Numbers must become visible in their order, or who read the higher misses the lower.
        connection.execute(text("LOCK TABLE change IN SHARE ROW EXCLUSIVE MODE"))
    row = {"at_us": time.time_ns() // 1000, "kind": kind, "subject": subject}
    connection.execute(insert(schema.change).values(**row))


def newest_change(connection: Connection) -> int:
    """The last number of the log; zero when it is empty."""
    return connection.scalar(select(func.coalesce(func.max(schema.change.c.n), 0))) or 0


class ChangeLog:
    """Where a process stands in the log. Read in the writer's thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.position: int | None = None  # the newest that was read
        self._touched: dict[str, float] = {}

    def read(self, connection: Connection, newest: int, asked_seconds: float) -> News:
        """Take note of the newest number; whatever it brings is read."""
        before, self.position = self.position, newest
        changes: tuple[Change, ...] | None = ()
        if before is None or newest < before or newest - before > CHANGES_MAX:
            changes = None
        elif newest > before:
            changes = _between(connection, before, newest)
            until = asked_seconds + TOUCHED_SECONDS
            self._touched = {one: end for one, end in self._touched.items() if end > asked_seconds}
            self._touched.update((one.subject, until) for one in changes if one.kind in RIGHTS)
        return News(newest=newest, asked_seconds=asked_seconds, changes=changes)

    def was_touched(self, key_id: str, tenant: str) -> bool:
        """Whether a request that was let in before may have lost its right since."""
        if not self._touched:
            return False
        now = self._clock()
        return any(self._touched.get(one, now) > now for one in (key_id, *ancestry(tenant)))


def _between(connection: Connection, after: int, newest: int) -> tuple[Change, ...]:
    table = schema.change.c
    query = select(table.kind, table.subject).where(table.n > after, table.n <= newest)
    rows = connection.execute(query.order_by(table.n))
    return tuple(Change(kind=row.kind, subject=row.subject) for row in rows)
