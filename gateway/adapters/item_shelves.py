"""The hashes of items as rows: appended to a log in the ledger's batches, then put on shelves.

Random places are dear to write in a hurry: a batch writes its hashes as one row at the log's end,
and now and then they are gathered where a search can find them. Not here: what a hash is
(`core.item_keys`), or who writes the log (`posting`, `pipeline`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, Engine, LargeBinary, cast, delete, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.database import insert_into, write_transaction
from gateway.core.item_keys import (
    PERIOD_US,
    each,
    is_among,
    item_hashes,
    oldest_shelf,
    shelf,
    shelves,
)

PAUSE_SECONDS = 300.0
SHELVED_MAX = 200  # rows of the log, or shelves, in one transaction: holds wait meanwhile
SEARCHED_MAX = 10_000  # shelves in one question
SOUGHT_MAX = 8  # items at once: beyond, a search for each would take seconds

log = logging.getLogger(__name__)


def find_items(connection: Connection, ids: Sequence[str], tenant: str, now_us: int) -> set[str]:
    """Those of some items that a tenant was answered with."""
    if not ids:
        return set()
    wanted = dict(zip(each(item_hashes(tenant, ids)), ids, strict=True))
    # The log first: what leaves it meanwhile is on its shelf by then.
    found = _among(wanted, connection.scalars(select(schema.item_log.c.hashes)))
    missing = wanted.keys() - found
    places = sorted({place for one in missing for place in shelves(now_us, one)})
    table = schema.item_shelf.c
    for at in range(0, len(places), SEARCHED_MAX):
        some = select(table.hashes).where(table.place.in_(places[at : at + SEARCHED_MAX]))
        found |= _among(missing, connection.scalars(some))
    return {wanted[one] for one in found}


def keep_items(engine: Engine, ids: Iterable[str], tenant: str, now_us: int) -> None:
    """Add items to the log."""
    row = {"period": now_us // PERIOD_US, "hashes": item_hashes(tenant, ids)}
    with write_transaction(engine) as connection:
        connection.execute(schema.item_log.insert(), [row])


async def keep_shelves(
    engine: Engine, now_us: Callable[[], int], *, pause_seconds: float = PAUSE_SECONDS
) -> None:
    """Put what is in the log on shelves and clear old ones, now and then, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.run_in_executor(None, put_on_shelves, engine)
            await loop.run_in_executor(None, clear_shelves, engine, oldest_shelf(now_us()))
        except (SQLAlchemyError, OSError):
            log.warning("items could not be put on shelves; it is tried again", exc_info=True)
        await asyncio.sleep(pause_seconds)


def put_on_shelves(engine: Engine) -> None:
    """Empty the log, a part at a time."""
    table = schema.item_log
    some = select(table.c.n).order_by(table.c.n).limit(SHELVED_MAX).scalar_subquery()
    take = delete(table).where(table.c.n.in_(some)).returning(table.c.period, table.c.hashes)
    add = insert_into(schema.item_shelf, engine.dialect)
    together = schema.item_shelf.c.hashes.op("||")(add.excluded.hashes)
    add = add.on_conflict_do_update(
        index_elements=["place"],
        set_={"hashes": cast(together, LargeBinary)},  # SQLite makes a text of two blobs
    )
    is_empty = False
    while not is_empty:
        with write_transaction(engine) as connection:
            taken = connection.execute(take).all()
            is_empty = len(taken) < SHELVED_MAX
            if rows := _sorted_out(taken):
                connection.execute(add, rows)


def clear_shelves(engine: Engine, oldest: int) -> None:
    """Delete the shelves below one, a part at a time."""
    place = schema.item_shelf.c.place
    some = select(place).where(place < oldest).limit(SHELVED_MAX).scalar_subquery()
    is_clear = False
    while not is_clear:
        with write_transaction(engine) as connection:
            cleared = connection.execute(delete(schema.item_shelf).where(place.in_(some)))
            is_clear = cleared.rowcount < SHELVED_MAX


def _among(wanted: Iterable[bytes], rows: Iterable[bytes]) -> set[bytes]:
    """For a few the rows are searched; for many each hash of the rows is looked up, once."""
    wanted = set(wanted)
    if len(wanted) > SOUGHT_MAX:
        return {one for hashes in rows for one in wanted.intersection(each(bytes(hashes)))}
    return {one for hashes in rows for one in wanted if is_among(one, bytes(hashes))}


def _sorted_out(taken: Iterable[Sequence[object]]) -> list[dict[str, object]]:
    """What goes on which shelf, in the order of locks."""
    found: dict[int, bytes] = {}
    for period, hashes in taken:
        assert isinstance(period, int)
        assert isinstance(hashes, bytes | memoryview)
        for one in each(bytes(hashes)):
            place = shelf(period, one)
            found[place] = found.get(place, b"") + one
    return [{"place": place, "hashes": hashes} for place, hashes in sorted(found.items())]
