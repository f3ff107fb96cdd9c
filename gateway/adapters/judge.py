"""What a batch learns inside its transaction, and what may be held by that. Not here: statements.

A request is let in by a key from memory, and by budgets from memory. When its hold is written, the
database's word is final: a key that was touched since is looked up again, budgets that changed are
read again, in the same transaction.
"""

import time
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, select

from gateway.adapters import schema
from gateway.adapters.changes import ChangeLog, News, newest_change
from gateway.adapters.clock import DatabaseClock, database_us
from gateway.adapters.keyring import standing_keys
from gateway.adapters.legs import Legs
from gateway.adapters.rows import Value, legs_from_text
from gateway.adapters.work import Claim, Held, Work
from gateway.core.budget import Budget, Leg
from gateway.core.errors import GatewayError, Unauthorized

POLL_SECONDS = 0.5


class Bench:
    """A process's view of changes, of budgets and of the database's time, kept by its writer."""

    def __init__(
        self, *, clock: DatabaseClock, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._log = ChangeLog(clock=seconds)
        self._legs = Legs()
        self._news: list[News] = []
        self._polled_seconds = seconds() - POLL_SECONDS
        self._connection: Connection | None = None
        self._asked_us = 0
        self._asked_seconds = 0.0

    @property
    def now_us(self) -> int:
        """The database's time."""
        return self._clock()

    @property
    def budgets(self) -> Mapping[str, Budget]:
        """Those in force, by id."""
        return self._legs.budgets

    @property
    def is_stale(self) -> bool:
        """Whether budgets have changed since they were read."""
        return self._legs.is_stale

    def may_bind(self, claim: Claim) -> bool:
        """Whether a hard budget may be on a request's way, as far as memory knows."""
        return self._legs.may_bind(claim)

    def sit(self, connection: Connection) -> None:
        """A transaction begins."""
        self._connection = connection
        self._asked_us, self._asked_seconds = self._clock.local_us(), self._seconds()

    def hear(self, newest: int, told_us: int | None) -> None:
        """The newest change, and the database's time where it is another clock than ours."""
        assert self._connection is not None
        if told_us is not None:
            self._clock.told(told_us, asked_us=self._asked_us)
        news = self._log.read(self._connection, newest, self._asked_seconds)
        self._legs.hear(news)
        self._news.append(news)
        self._polled_seconds = self._asked_seconds

    def assign(self, connection: Connection, work: Work) -> None:
        """Find the legs of all that is held and settled."""
        silent = []
        for name, one in work.settled.items():
            legs = one.legs
            if legs is not None:
                work.legs.setdefault(name, legs)
            elif name not in work.legs:
                silent.append(name)
        if silent:  # they are posted at once, so what changed is heard before
            self.poll(connection)
        self._legs.refresh(connection)
        claims = {name: one.claim for name, one in work.held.items() if name not in work.settled}
        if silent:
            pinned = _pinned(connection, silent)
            work.legs.update(pinned)
            claims.update((name, work.settled[name].claim) for name in silent if name not in pinned)
        work.legs.update(self._found(connection, claims))

    @property
    def newest(self) -> int | None:
        """The newest change that was heard."""
        return self._log.position

    def recall(self, work: Work) -> bool:
        """Find the legs of all that is held and settled, and nobody whose right is in doubt.

        False where only the database knows.
        """
        if self._legs.is_stale:
            return False
        claims = {name: one.claim for name, one in work.held.items()}
        found = {name: self._legs.find(claim) for name, claim in claims.items()}
        found.update((name, one.legs) for name, one in work.settled.items())
        work.legs.update((name, legs) for name, legs in found.items() if legs is not None)
        return len(work.legs) == len(found) and not any(
            self._log.was_touched(claim.key_id, claim.tenant) for claim in claims.values()
        )

    def rolled_back(self) -> None:
        """What the transaction began is not there."""
        self._legs.forget()

    def fallen(self, held: Collection[Held]) -> Mapping[Value, GatewayError]:
        """Those whose key has lost its right since they were let in."""
        touched = [one for one in held if self._log.was_touched(one.key_id, one.tenant)]
        if not touched:
            return {}
        assert self._connection is not None
        keys = standing_keys(self._connection, {one.key_id for one in touched})
        standing = {key_id for key_id, key in keys.items() if not key.is_expired(self.now_us)}
        return {one.row[0]: Unauthorized() for one in touched if one.key_id not in standing}

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

    def _found(
        self, connection: Connection, claims: Mapping[Value, Claim]
    ) -> dict[Value, tuple[Leg, ...]]:
        found: dict[Value, tuple[Leg, ...]] = {}
        new: dict[Value, Claim] = {}
        for name, claim in claims.items():
            legs = self._legs.find(claim)
            if legs is None:
                new[name] = claim
            else:
                found[name] = legs
        if new:
            self._legs.begin(connection, new.values())
            for name, claim in new.items():
                found[name] = self._legs.look_up(connection, claim)
        return found


def _pinned(connection: Connection, request_ids: Collection[Value]) -> dict[Value, tuple[Leg, ...]]:
    """Legs of holds that were placed by others than who settles them."""
    table = schema.hold.c
    query = select(table.request_id, table.legs).where(table.request_id.in_(request_ids))
    return {row.request_id: legs_from_text(row.legs) for row in connection.execute(query)}
