"""Any batch for PostgreSQL: two trips, rows as one JSON parameter a statement. See `posting`.

The first trip asks and settles, then Python decides, the second writes what was decided and
commits: network time under locks is what limits throughput. The rows that all share are locked
last. COMMIT is a statement of the pipeline, because the driver's own would cost trips.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Dialect, Table

from gateway.adapters import docket, schema
from gateway.adapters.corrections import corrections, is_truth
from gateway.adapters.docket import Docket, Told
from gateway.adapters.json_rows import encode, records, usage_added
from gateway.adapters.posting import Judge, Poster, Posts, Replayed, accounts, usage_parts
from gateway.adapters.rows import Row, Value, legs_from_text
from gateway.adapters.swift import SwiftPoster
from gateway.adapters.work import Posting, Work, added_up, in_order
from gateway.core.budget import Account

if TYPE_CHECKING:
    import psycopg

    Driver = psycopg.Connection[tuple[Any, ...]]
    Answer = psycopg.Cursor[tuple[Any, ...]]

_NEWEST = b"""
    SELECT coalesce(max(n), 0), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM change"""
# What is there already: a batch whose commit was lost, or a journal, brings some of it again. Here
# and below, nothing is joined with a set that came as JSON: the planner guesses at such, and reads
# a whole table for a few of its rows.
_THERE = b"""
    SELECT request_id, legs FROM hold
    WHERE request_id = ANY(ARRAY(SELECT json_array_elements_text(%(ids)s::json)))
    UNION ALL SELECT request_id, NULL FROM entry
    WHERE request_id = ANY(ARRAY(SELECT json_array_elements_text(%(ids)s::json)))"""
_DELETE_HOLDS = b"""
    DELETE FROM hold WHERE request_id = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))
    RETURNING request_id"""
# Two who count at once would both find room: who counts has the limit's row for itself.
_LOCK_LIMITS = b"""
    SELECT FROM policy WHERE subject IN (SELECT json_array_elements_text(%s::json))
    ORDER BY subject FOR NO KEY UPDATE"""
_OPEN_HOLDS = b"""
    SELECT one.subject, count(hold.request_id)
    FROM (SELECT json_array_elements_text(%s::json) AS subject) AS one
    LEFT JOIN hold ON hold.key_id = one.subject OR hold.tenant = one.subject
        OR starts_with(hold.tenant, one.subject || '/')
    GROUP BY one.subject"""
_ACCOUNTS = b"""
    SELECT one.* FROM json_array_elements(%s::json) AS leg, LATERAL (
        SELECT budget_id, period_start_us, period_end_us, is_hard, limit_pusd, held_pusd,
            spent_pusd, excess_pusd
        FROM budget_period
        WHERE budget_id = leg->>0 AND period_start_us = (leg->>1)::bigint FOR NO KEY UPDATE
    ) AS one"""
_UPDATE_ACCOUNTS = b"""
    UPDATE budget_period SET held_pusd = one.held_pusd, spent_pusd = one.spent_pusd,
        excess_pusd = one.excess_pusd
    FROM json_populate_recordset(NULL::budget_period, %s::json) AS one
    WHERE budget_period.budget_id = one.budget_id
        AND budget_period.period_start_us = one.period_start_us"""
_OPEN_HOLD = b"""
    UPDATE hold SET response_id = (SELECT %(names)s::jsonb) ->> request_id
    WHERE request_id = ANY(ARRAY(SELECT jsonb_object_keys(%(names)s::jsonb)))"""
_INSERT_ITEMS = b"INSERT INTO item_log (period, hashes) VALUES (%s, %s)"


class Uncommitted(OSError):
    """The database answered COMMIT with a rollback; the same may work later."""


class PipelinedPoster:
    """The statements of a batch, for psycopg's pipeline."""

    def __init__(self, dialect: Dialect) -> None:
        self._swift = SwiftPoster(dialect)
        self.at_once = self._swift.apply
        self._insert_entries = _inserted(
            schema.entry, "ON CONFLICT DO NOTHING RETURNING request_id"
        ).encode()
        # A settlement may overtake its hold (a retry, a waiter that left): the entry is then final.
        no_entry = "WHERE (SELECT 1 FROM entry e WHERE e.request_id = one.request_id) IS NULL"
        self._insert_holds = _inserted(schema.hold, f"{no_entry} ON CONFLICT DO NOTHING").encode()
        self._add_usage = _inserted(schema.usage_hour, usage_added()).encode()
        self._insert_alerts = _inserted(schema.alert, "ON CONFLICT DO NOTHING").encode()
        self._insert_refusals = _inserted(schema.refusal, "ON CONFLICT DO NOTHING").encode()
        self._insert_owned = _inserted(schema.owned, "ON CONFLICT DO NOTHING").encode()

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge,
        is_replay: bool = False,
    ) -> Docket:
        """Write a batch in the caller's transaction, and commit it. Raises Replayed.

        All lock in one order: periods that begin, holds, entries, what corrects those, accounts.
        What the first trip tells too late for it is for `is_replay`, which asks one by one.
        """
        work = in_order(batch)
        driver = cast("Driver", connection.connection.driver_connection)
        if is_replay:
            _hear(judge, driver.execute(_NEWEST))
        judge.assign(connection, work)
        told = self._first_trip(driver, work, judge, is_replay=is_replay)
        late = work.late(told.fresh)
        if is_replay:
            told.corrections = corrections(connection, late, now_us=judge.now_us)
            legs = {leg for correction in told.corrections for leg in correction.legs}
            locked = driver.execute(_ACCOUNTS, [_json(sorted(legs.union(work.accounts())))])
            told.accounts.update(accounts(locked.fetchall()))
        elif judge.is_stale or any(map(is_truth, late)):
            raise Replayed
        decided = docket.decide(work, told, judge)
        self._second_trip(driver, work, told, decided)
        self._swift.told(told.accounts)
        return decided

    def _first_trip(self, driver: "Driver", work: Work, judge: Judge, *, is_replay: bool) -> Told:
        """Ask, and settle; the rows that all share are locked last."""
        newest = there = counts = gone = posted = locked = None
        with driver.pipeline():
            if not is_replay:
                newest = driver.execute(_NEWEST)
            if work.held:
                there = driver.execute(_THERE, {"ids": _json(list(work.held))})
            if work.settled:
                gone = driver.execute(_DELETE_HOLDS, [_json(list(work.settled))])
                rows = [one.posted_row(work.legs[name]) for name, one in work.settled.items()]
                posted = driver.execute(self._insert_entries, [_records(schema.entry, rows)])
            if limited := work.limited():
                driver.execute(_LOCK_LIMITS, [_json(limited)])
                counts = driver.execute(_OPEN_HOLDS, [_json(limited)])
            if (legs := work.accounts()) and not is_replay:
                locked = driver.execute(_ACCOUNTS, [_json(legs)])
        if newest is not None:
            _hear(judge, newest)
        held = _rows(there)
        return Told(
            accounts=dict(accounts(_rows(locked))),
            gone={name for (name,) in _rows(gone)},
            fresh={name for (name,) in _rows(posted)},
            there={name: legs_from_text(legs) for name, legs in held if legs is not None},
            posted={name for name, legs in held if legs is None},
            open_holds=dict(_rows(counts)),
        )

    def _second_trip(self, driver: "Driver", work: Work, told: Told, decided: Docket) -> None:
        with driver.pipeline():
            if decided.holds:
                driver.execute(self._insert_holds, [_records(schema.hold, decided.holds)])
            if work.opened:
                driver.execute(_OPEN_HOLD, {"names": _json(work.opened)})
            if parts := usage_parts(work, told):
                driver.execute(self._add_usage, [_records(schema.usage_hour, added_up(parts))])
            if decided.alerts:
                driver.execute(self._insert_alerts, [_records(schema.alert, decided.alerts)])
            if work.noted:
                driver.execute(self._insert_refusals, [_records(schema.refusal, work.noted)])
            for row in work.items():
                driver.execute(_INSERT_ITEMS, row)
            if owned := work.owned():
                driver.execute(self._insert_owned, [_records(schema.owned, owned)])
            if decided.accounts:
                driver.execute(_UPDATE_ACCOUNTS, [_json(list(map(_figures, decided.accounts)))])
            committed = driver.execute(b"COMMIT")
        if committed.statusmessage != "COMMIT":
            raise Uncommitted(f"the database answered {committed.statusmessage!r}")


def poster_for(dialect: Dialect) -> Posts:
    """What writes batches to this kind of database."""
    return PipelinedPoster(dialect) if dialect.name == "postgresql" else Poster(dialect)


def _hear(judge: Judge, newest: "Answer") -> None:
    ((number, database_us),) = newest.fetchall()
    judge.hear(number, database_us)


def _rows(answer: "Answer | None") -> list[tuple[Any, ...]]:
    return [] if answer is None else answer.fetchall()


def _figures(account: Account) -> dict[str, Value]:
    return {
        "budget_id": account.budget_id,
        "period_start_us": account.period_start_us,
        "held_pusd": account.held_pusd,
        "spent_pusd": account.spent_pusd,
        "excess_pusd": account.excess_pusd,
    }


def _inserted(table: Table, rest: str) -> str:
    names = ", ".join(table.columns.keys())
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608 - our own names
        f"FROM json_populate_recordset(NULL::{table.name}, %s::json) AS one {rest}"
    )


def _records(table: Table, rows: Iterable[Row]) -> str:
    return records(table, rows).decode()


def _json(value: object) -> str:
    return encode(value).decode()
