"""An owner's lease on its holds: one heartbeat row a process. Not here: what comes after it."""

import os
import socket
from collections.abc import Callable

from sqlalchemy import Connection, delete

from gateway.adapters import schema
from gateway.adapters.database import insert_into

BEATS_PER_LEASE = 3


class Lease:
    """Renewed inside the writer's transactions, so that an owner is registered before it holds."""

    def __init__(self, *, owner_id: str, now_us: Callable[[], int], lease_seconds: float) -> None:
        # Since when it is renewed without a gap: after an outage all owners look dead for a while.
        self.steady_since_us: int | None = None
        self._owner_id = owner_id
        self._now_us = now_us
        self._lease_us = round(lease_seconds * 1_000_000)
        self._started_us = now_us()
        self._due_us = 0

    def due_in_seconds(self) -> float:
        """How long until the next beat; zero when it is due."""
        # Never longer than a beat, though the clock may have been set back.
        ahead_us = min(self._due_us - self._now_us(), self._lease_us // BEATS_PER_LEASE)
        return max(0, ahead_us) / 1_000_000

    def renew(self, connection: Connection) -> int:
        """Write the row. Returns the time written from, for `renewed` once it is committed."""
        now_us = self._now_us()
        statement = insert_into(schema.owner, connection.dialect).values(
            id=self._owner_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at_us=self._started_us,
            lease_until_us=now_us + self._lease_us,
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_={"lease_until_us": statement.excluded.lease_until_us}
            )
        )
        return now_us

    def renewed(self, from_us: int) -> None:
        """The renewal is durable."""
        has_gap = from_us > self._due_us + self._lease_us
        if self.steady_since_us is None or has_gap:
            self.steady_since_us = from_us
        self._due_us = from_us + self._lease_us // BEATS_PER_LEASE

    def end(self, connection: Connection) -> None:
        """Delete the row: what is still held belongs to nobody, and can be taken over at once."""
        connection.execute(delete(schema.owner).where(schema.owner.c.id == self._owner_id))
