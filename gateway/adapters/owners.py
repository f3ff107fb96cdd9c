"""Who holds what, and what the dead held.

An owner is a process. It keeps a file locked for as long as it lives, so that on this host a killed
process is known at once and a living one is never mistaken, whatever the clocks say; elsewhere its
lease decides. Not here: renewing the lease (`lease`), or what becomes of what the dead held.
"""

import asyncio
import fcntl
import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sqlalchemy import Engine, delete, exists, select, update

from gateway.adapters import schema
from gateway.adapters.database import PRIVATE_FILE, write_transaction
from gateway.adapters.ledger import Ledger
from gateway.adapters.rows import hold_from_row
from gateway.core.exchange import Exchange, Hold, unseen

# No more than the writer takes at once: the next come when these are durable, so that a request's
# hold never stands behind more than that.
CLAIM_MAX = 64
GATEWAY_LOST = "gateway_lost"


class Owner:
    """This process as an owner: its id, and the lock that proves it lives.

    To be made before the ledger: whoever finds an owner's row finds its lock held.
    """

    def __init__(self, state_dir: Path) -> None:
        self.id = uuid.uuid4().hex
        state_dir.mkdir(parents=True, exist_ok=True)
        self._path = _lock_path(state_dir, self.id)
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release(self) -> None:
        """After the ledger closed: what is still held may be taken over now."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


async def orphans(
    ledger: Ledger, *, engine: Engine, state_dir: Path, now_us: Callable[[], int]
) -> AsyncIterator[list[Exchange]]:
    """What dead owners left held, some at a time, each found once whoever else looks.

    All are the ledger's own from then on, and come as they are owed if nothing more can be learned.
    To be asked for at the start, and every third of a lease from then on.
    """
    for dead in await asyncio.to_thread(
        dead_owners, engine, state_dir, now_us(), steady_since_us=ledger.steady_since_us
    ):
        if dead == ledger.owner_id:
            continue
        while lost := await asyncio.to_thread(claim_holds, engine, dead, ledger.owner_id):
            at_us = now_us()
            yield [_lost(*one, at_us) for one in lost]
        await asyncio.to_thread(_bury, engine, state_dir, dead)


def dead_owners(
    engine: Engine, state_dir: Path, now_us: int, *, steady_since_us: int | None
) -> list[str]:
    """Owners of which it is known that they live no more.

    `steady_since_us` is since when the asker's own lease is renewed without a gap: after an outage
    every lease has run out, so one lease must pass before an expired one means anything.
    """
    table = schema.owner.c
    with engine.connect() as connection:
        rows = connection.execute(select(table.id, table.lease_until_us)).all()
        # Read after the owners: a hold's owner is registered no later than its first hold.
        unknown = connection.scalars(
            select(schema.hold.c.owner)
            .distinct()
            .where(~exists().where(table.id == schema.hold.c.owner))
        ).all()
    dead = [
        row.id
        for row in rows
        if _is_dead(_lock_path(state_dir, row.id), row.lease_until_us, now_us, steady_since_us)
    ]
    return [*dead, *unknown]


def claim_holds(engine: Engine, dead: str, heir: str) -> list[tuple[Hold, str | None]]:
    """Some of a dead owner's holds and their response ids, now the heir's; none when all are."""
    table = schema.hold.c
    some = select(table.request_id).where(table.owner == dead).limit(CLAIM_MAX)
    claim = (
        update(schema.hold)
        # The owner again: of two who picked the same rows, the second finds them taken.
        .where(table.request_id.in_(some.scalar_subquery()), table.owner == dead)
        .values(owner=heir)
        .returning(schema.hold)
    )
    with write_transaction(engine) as connection:
        return [(hold_from_row(row), row.response_id) for row in connection.execute(claim)]


def _is_dead(lock: Path, lease_until_us: int, now_us: int, steady_since_us: int | None) -> bool:
    try:
        file = os.open(lock, os.O_RDWR)
    except FileNotFoundError:  # another host's, or another state folder
        is_expired = lease_until_us < now_us
        return is_expired and steady_since_us is not None and steady_since_us < lease_until_us
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _lost(hold: Hold, response_id: str | None, at_us: int) -> Exchange:
    # What goes on in the background has lost nothing with its gateway, but for its name.
    is_at_work = hold.is_background and response_id is not None
    return unseen(hold, response_id, at_us, reason=None if is_at_work else GATEWAY_LOST)


def _bury(engine: Engine, state_dir: Path, dead: str) -> None:
    # Not while it holds anything: a process that was only frozen may have gone on.
    holds = exists().where(schema.hold.c.owner == dead)
    with write_transaction(engine) as connection:
        connection.execute(delete(schema.owner).where(schema.owner.c.id == dead, ~holds))
    _lock_path(state_dir, dead).unlink(missing_ok=True)


def _lock_path(state_dir: Path, owner_id: str) -> Path:
    return state_dir / f"owner-{owner_id}.lock"
