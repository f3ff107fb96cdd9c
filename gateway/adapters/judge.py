"""What a batch learns inside its transaction, and what may be held by that. Not here: statements.

A request is let in by a key from memory. When its hold is written, the database's word is final:
a key that was touched since is looked up again, in the same transaction.
"""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete

from gateway.adapters import schema
from gateway.adapters.changes import ChangeLog, News, newest_change
from gateway.adapters.clock import DatabaseClock, database_us
from gateway.adapters.keyring import standing_keys
from gateway.adapters.rows import Row, Value

POLL_SECONDS = 0.5

_TENANT, _KEY = (schema.hold.c.keys().index(name) for name in ("tenant", "key_id"))


class Bench:
    """A process's view of changes and of the database's time, kept by its writer."""

    def __init__(
        self, *, clock: DatabaseClock, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._log = ChangeLog(clock=seconds)
        self._news: list[News] = []
        self._polled_seconds = seconds() - POLL_SECONDS
        self._connection: Connection | None = None
        self._asked_us = 0
        self._asked_seconds = 0.0
        self.refusals: set[Value] = set()

    def sit(self, connection: Connection) -> None:
        """A transaction begins."""
        self._connection = connection
        self._asked_us, self._asked_seconds = self._clock.local_us(), self._seconds()
        self.refusals = set()

    def hear(self, newest: int, told_us: int | None) -> None:
        """The newest change, and the database's time where it is another clock than ours."""
        assert self._connection is not None
        if told_us is not None:
            self._clock.told(told_us, asked_us=self._asked_us)
        self._news.append(self._log.read(self._connection, newest, self._asked_seconds))
        self._polled_seconds = self._asked_seconds

    def refused(self, held: Sequence[Row]) -> set[Value]:
        """The ids of those whose key has lost its right since they were let in."""
        touched = [row for row in held if self._was_touched(row)]
        if touched:
            assert self._connection is not None
            key_ids = {str(row[_KEY]) for row in touched}
            keys, now_us = standing_keys(self._connection, key_ids), self._clock()
            standing = {key_id for key_id, key in keys.items() if not key.is_expired(now_us)}
            self.refusals = {row[0] for row in touched if row[_KEY] not in standing}
            # Written after all, where a commit was lost on the way here and this is its replay.
            written = delete(schema.hold).where(schema.hold.c.request_id.in_(self.refusals))
            self._connection.execute(written)
        return self.refusals

    def poll(self, connection: Connection) -> None:
        """Read log and clock when no batch does."""
        self.sit(connection)
        told_us = database_us(connection)
        self.hear(newest_change(connection), told_us)

    def due_in_seconds(self) -> float:
        """How long until the log is to be read, though there be no batch."""
        return max(0.0, self._polled_seconds + POLL_SECONDS - self._seconds())

    def take_news(self) -> list[News]:
        """What was heard since the last call."""
        news, self._news = self._news, []
        return news

    def _was_touched(self, row: Row) -> bool:
        return self._log.was_touched(str(row[_KEY]), str(row[_TENANT]))
