"""A batch of holds and settlements as one transaction. Not here: queues, threads, retries.

The statements here are one by one, as SQLite has them best; `pipeline` has PostgreSQL's.

The result of a batch does not depend on the order of what is in it, and doing any of it again
changes nothing: entries come before holds, a hold whose entry exists is not written, and only an
entry that was not there before is counted. So a batch whose commit was lost is simply sent again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Delete, Dialect, Insert, Table, Update, bindparam, exists
from sqlalchemy import delete as sql_delete
from sqlalchemy import select as sql_select
from sqlalchemy import update as sql_update
from sqlalchemy.engine.interfaces import DBAPICursor

from gateway.adapters import schema
from gateway.adapters.database import insert_into
from gateway.adapters.rows import Row, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A hold to be written."""

    row: Row
    is_sent: bool = False  # its request was let go without the database: nobody asks any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The upstream named its response."""

    request_id: str
    response_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An entry to be posted, its hold to go, its counts to be added to its hour."""

    row: Row
    cell: Row
    counts: tuple[int, ...]


Posting = Held | Opened | Settled


@dataclass(slots=True)
class Work:
    """A batch by kind, each id once."""

    held: dict[Value, Row] = field(default_factory=dict)
    sent: set[Value] = field(default_factory=set)  # of what is held
    opened: dict[str, str] = field(default_factory=dict)
    settled: dict[Value, Settled] = field(default_factory=dict)


class Judge(Protocol):
    """Who decides, inside the transaction, what may be held."""

    def hear(self, newest: int, told_us: int | None) -> None:
        """The newest change, and the database's time where it is another clock than ours."""

    def refused(self, held: Sequence[Row]) -> Collection[Value]:
        """The ids of those that may not be held."""


class Posts(Protocol):
    """What writes a batch to one kind of database."""

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge | None = None,
        is_replay: bool = False,
    ) -> None:
        """Write a batch inside the caller's transaction."""


class Replayed(Exception):
    """An entry of the batch was there before: apply it again, with `is_replay`."""


class Poster:
    """The statements of a batch, compiled once for one database."""

    def __init__(self, dialect: Dialect) -> None:
        def text(statement: Delete | Insert | Update) -> str:
            return str(statement.compile(dialect=dialect))

        self._newest = "SELECT coalesce(max(n), 0) FROM change"
        self._delete_hold = text(
            sql_delete(schema.hold).where(schema.hold.c.request_id == bindparam("id"))
        )
        self._insert_entry = text(
            insert_into(schema.entry, dialect)
            .values(_parameters(schema.entry))
            .on_conflict_do_nothing()
        )
        self._insert_hold = text(_hold_without_entry(dialect))
        self._open_hold = text(
            sql_update(schema.hold)
            .where(schema.hold.c.request_id == bindparam("id"))
            .values(response_id=bindparam("response"))
        )
        self._add_usage = text(_usage_added(dialect))

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge | None = None,
        is_replay: bool = False,
    ) -> None:
        """Write a batch inside the caller's transaction."""
        work = in_order(batch)
        # The driver's own cursor: SQLAlchemy's execution costs several times the statement's time.
        cursor = connection.connection.cursor()
        try:
            if work.settled:
                self._settle(cursor, work.settled, is_replay=is_replay)
            if judge is not None:
                cursor.execute(self._newest)
                ((newest,),) = cursor.fetchall()
                judge.hear(newest, None)
            if held := allowed(work, judge):
                cursor.executemany(self._insert_hold, [(*row, row[0]) for row in held])
            if work.opened:
                cursor.executemany(self._open_hold, [(r, i) for i, r in work.opened.items()])
        finally:
            cursor.close()

    def _settle(
        self, cursor: DBAPICursor, settled: dict[Value, Settled], *, is_replay: bool
    ) -> None:
        cursor.executemany(self._delete_hold, [(request_id,) for request_id in settled])
        fresh = list(settled.values())
        if is_replay:
            fresh = [one for one in fresh if self._is_fresh(cursor, one)]
        else:
            cursor.executemany(self._insert_entry, [one.row for one in fresh])
            # The count says whether all were fresh, at the price of one statement; a batch that was
            # posted before is rare, and finds out which by going one by one.
            if cursor.rowcount != len(fresh):
                raise Replayed
        if fresh:
            cursor.executemany(self._add_usage, added_up(fresh))

    def _is_fresh(self, cursor: DBAPICursor, settled: Settled) -> bool:
        cursor.execute(self._insert_entry, settled.row)
        return cursor.rowcount == 1


def in_order(batch: Sequence[Posting]) -> Work:
    """By kind, each id once: the first of several counts, as it would have across batches."""
    work = Work()
    for posting in batch:
        if isinstance(posting, Held):
            work.held.setdefault(posting.row[0], posting.row)
            if posting.is_sent:
                work.sent.add(posting.row[0])
        elif isinstance(posting, Settled):
            work.settled.setdefault(posting.row[0], posting)
        else:
            work.opened[posting.request_id] = posting.response_id
    # One order everywhere: two writers on one database then never wait for each other in a circle.
    work.settled = dict(sorted(work.settled.items(), key=_request_id))
    return work


def allowed(work: Work, judge: Judge | None) -> list[Row]:
    """The holds to be written."""
    held = list(work.held.values())
    asked = [row for row in held if row[0] not in work.sent]
    refused = judge.refused(asked) if judge is not None and asked else ()
    return [row for row in held if row[0] not in refused] if refused else held


def _request_id(item: tuple[Value, Settled]) -> str:
    return str(item[0])


def added_up(settled: list[Settled]) -> list[Row]:
    """What settlements add to the hours, in the order of the hours' keys."""
    cells: dict[Row, tuple[int, ...]] = {}
    for one in settled:
        before = cells.get(one.cell)
        cells[one.cell] = (
            tuple(map(int.__add__, before, one.counts)) if before is not None else one.counts
        )
    return [(*cell, *counts) for cell, counts in sorted(cells.items(), key=_cell_order)]


def _cell_order(item: tuple[Row, tuple[int, ...]]) -> tuple[Any, ...]:
    return item[0]


def _parameters(table: Table) -> dict[str, Any]:
    return {column.name: bindparam(column.name, type_=column.type) for column in table.columns}


def _hold_without_entry(dialect: Dialect) -> Insert:
    """A settlement may overtake its hold (a retry, a waiter that left): the entry is then final."""
    parameters = _parameters(schema.hold)
    has_entry = exists(
        sql_select(schema.entry.c.request_id).where(
            schema.entry.c.request_id == bindparam("entry_id", type_=schema.entry.c.request_id.type)
        )
    )
    rows = sql_select(*parameters.values()).where(~has_entry)
    statement = insert_into(schema.hold, dialect).from_select(list(parameters), rows)
    return statement.on_conflict_do_nothing()


def _usage_added(dialect: Dialect) -> Insert:
    statement = insert_into(schema.usage_hour, dialect).values(_parameters(schema.usage_hour))
    cell = list(schema.usage_hour.primary_key)
    counts = [column for column in schema.usage_hour.columns if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=cell,
        set_={column.name: column + statement.excluded[column.name] for column in counts},
    )
