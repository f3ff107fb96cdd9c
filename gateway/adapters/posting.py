"""A batch as one transaction on SQLite. Not here: queues, threads, retries.

The statements are one by one, as SQLite has them best; `pipeline` has PostgreSQL's. Doing any of a
batch again changes nothing: entries come before holds, a hold whose entry exists is not written,
and only an entry that was not there before is counted. So a batch whose commit was lost is simply
sent again. That this is rare is what the fast way counts on; when it happened, the rows that are
there already are looked up one by one.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, Protocol

from sqlalchemy import Connection, Delete, Dialect, Insert, Table, Update, bindparam, exists
from sqlalchemy import delete as sql_delete
from sqlalchemy import select as sql_select
from sqlalchemy import update as sql_update
from sqlalchemy.engine.interfaces import DBAPICursor

from gateway.adapters import docket, schema
from gateway.adapters.corrections import corrections
from gateway.adapters.database import insert_into
from gateway.adapters.docket import Docket, Told
from gateway.adapters.rows import Row, Value, legs_from_text
from gateway.adapters.work import Posting, Work, added_up, in_order
from gateway.core.budget import Account, Leg

_ACCOUNT = """
    SELECT budget_id, period_start_us, period_end_us, is_hard, limit_pusd, held_pusd, spent_pusd,
        excess_pusd
    FROM budget_period WHERE budget_id = ? AND period_start_us = ?"""
_UPDATE_ACCOUNT = """
    UPDATE budget_period SET held_pusd = ?, spent_pusd = ?, excess_pusd = ?
    WHERE budget_id = ? AND period_start_us = ?"""
_OPEN_HOLDS = """
    SELECT count(*) FROM hold
    WHERE key_id = ?1 OR tenant = ?1 OR substr(tenant, 1, length(?1) + 1) = ?1 || '/'"""

_INSERT_ITEMS = "INSERT INTO item_log (period, hashes) VALUES (?, ?)"


class Judge(docket.Judge, Protocol):
    """Who decides, inside the transaction, what may be held."""

    @property
    def newest(self) -> int | None:
        """The newest change that was heard."""

    def sit(self, connection: Connection) -> None:
        """A transaction begins."""

    def hear(self, newest: int, told_us: int | None) -> None:
        """The newest change, and the database's time where it is another clock than ours."""

    def recall(self, work: Work) -> bool:
        """Find the legs of all that is held and settled; False where only the database knows."""

    def assign(self, connection: Connection, work: Work) -> None:
        """Find the legs of all that is held and settled."""

    @property
    def is_stale(self) -> bool:
        """Whether what was assigned may be wrong by what was heard since."""


class Posts(Protocol):
    """What writes a batch to one kind of database."""

    def at_once(
        self, connection: Connection, batch: Sequence[Posting], *, judge: Judge
    ) -> Docket | None:
        """Write a batch that is as most are, outside any transaction; None: it is to be applied."""

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge,
        is_replay: bool = False,
    ) -> Docket:
        """Write a batch inside the caller's transaction."""


class Replayed(Exception):
    """The batch is not as most are: apply it again from the start, with `is_replay`.

    Something of it was there before, or it learned something too late for the order of locks.
    """


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
        self._insert_alert, self._insert_refusal, self._insert_owned = (
            text(insert_into(table, dialect).values(_parameters(table)).on_conflict_do_nothing())
            for table in (schema.alert, schema.refusal, schema.owned)
        )

    def at_once(self, *_: object, **__: object) -> None:
        """There is no way but one: SQLite's transactions make no trips."""

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge,
        is_replay: bool = False,
    ) -> Docket:
        """Write a batch inside the caller's transaction. Raises Replayed."""
        work = in_order(batch)
        # The driver's own cursor: SQLAlchemy's execution costs several times the statement's time.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(self._newest)
            ((newest,),) = cursor.fetchall()
            judge.hear(newest, None)
            judge.assign(connection, work)
            told = Told(accounts={})
            if work.settled:
                self._settle(cursor, work, told, is_replay=is_replay)
            late = work.late(told.fresh)
            told.corrections = corrections(connection, late, now_us=judge.now_us)
            self._ask(cursor, work, told, is_replay=is_replay)
            decided = docket.decide(work, told, judge)
            self._write(cursor, work, told, decided)
        return decided

    def _settle(self, cursor: DBAPICursor, work: Work, told: Told, *, is_replay: bool) -> None:
        rows = [one.posted_row(work.legs[name]) for name, one in work.settled.items()]
        if is_replay:
            ids = list(work.settled)
            told.gone = _counted(cursor, self._delete_hold, ids, [(name,) for name in ids])
            told.fresh = _counted(cursor, self._insert_entry, ids, rows)
            return
        # The counts say whether all were held and none was posted, at the price of one statement
        # each; what is otherwise is rare, and finds out which by going one by one.
        cursor.executemany(self._delete_hold, [(name,) for name in work.settled])
        if cursor.rowcount != len(rows):
            raise Replayed
        cursor.executemany(self._insert_entry, rows)
        if cursor.rowcount != len(rows):
            raise Replayed
        told.gone = told.fresh = work.settled

    def _ask(self, cursor: DBAPICursor, work: Work, told: Told, *, is_replay: bool) -> None:
        if is_replay:
            told.there = dict(_held(cursor, work.held))
            told.posted = set(_posted(cursor, work.held))
        for subject in work.limited():
            cursor.execute(_OPEN_HOLDS, (subject,))
            ((told.open_holds[subject],),) = cursor.fetchall()
        legs = {leg for correction in told.corrections for leg in correction.legs}
        for leg in sorted(legs.union(work.accounts())):
            cursor.execute(_ACCOUNT, leg)
            told.accounts.update(accounts(cursor.fetchall()))

    def _write(self, cursor: DBAPICursor, work: Work, told: Told, decided: Docket) -> None:
        if decided.accounts:
            cursor.executemany(_UPDATE_ACCOUNT, list(map(_figures, decided.accounts)))
        if decided.alerts:
            cursor.executemany(self._insert_alert, decided.alerts)
        if decided.holds:
            cursor.executemany(self._insert_hold, [(*row, row[0]) for row in decided.holds])
            if cursor.rowcount != len(decided.holds):
                raise Replayed
        if work.opened:
            cursor.executemany(self._open_hold, [(r, i) for i, r in work.opened.items()])
        if parts := usage_parts(work, told):
            cursor.executemany(self._add_usage, added_up(parts))
        if work.noted:
            cursor.executemany(self._insert_refusal, work.noted)
        if items := work.items():
            cursor.executemany(_INSERT_ITEMS, items)
        if owned := work.owned():
            cursor.executemany(self._insert_owned, owned)


def accounts(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Leg, Account]]:
    """Rows of `schema.budget_period`, its columns in their order."""
    for budget_id, start_us, end_us, is_hard, limit, held, spent, excess in rows:
        account = Account(
            budget_id=budget_id,
            period_start_us=start_us,
            period_end_us=end_us,
            is_hard=bool(is_hard),
            limit_pusd=limit,
            held_pusd=held,
            spent_pusd=spent,
            excess_pusd=excess,
        )
        yield (budget_id, start_us), account


def usage_parts(work: Work, told: Told) -> list[tuple[Row, tuple[int, ...]]]:
    """What a batch adds to the hours."""
    fresh = [one for name, one in work.settled.items() if name in told.fresh]
    parts = [(one.cell, one.counts) for one in fresh]
    return [*parts, *((one.cell, one.counts) for one in told.corrections)]


def _figures(account: Account) -> Row:
    figures = account.held_pusd, account.spent_pusd, account.excess_pusd
    return (*figures, account.budget_id, account.period_start_us)


def _counted(
    cursor: DBAPICursor, statement: str, ids: Sequence[Value], rows: Sequence[Row]
) -> set[Value]:
    """The ids of those rows that the statement found something to do for."""
    done = set()
    for name, row in zip(ids, rows, strict=True):
        cursor.execute(statement, row)
        if cursor.rowcount == 1:
            done.add(name)
    return done


def _held(cursor: DBAPICursor, ids: Iterable[Value]) -> Iterator[tuple[Value, tuple[Leg, ...]]]:
    for name in ids:
        cursor.execute("SELECT legs FROM hold WHERE request_id = ?", (name,))
        for (legs,) in cursor.fetchall():
            yield name, legs_from_text(legs)


def _posted(cursor: DBAPICursor, ids: Iterable[Value]) -> Iterator[Value]:
    for name in ids:
        cursor.execute("SELECT 1 FROM entry WHERE request_id = ?", (name,))
        if cursor.fetchall():
            yield name


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
