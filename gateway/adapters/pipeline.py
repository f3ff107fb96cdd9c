"""A batch for PostgreSQL: two trips, rows as one JSON parameter a statement. See `posting`.

The first trip asks and settles, then Python decides, the second writes what was decided and
commits: network time under locks is what limits throughput. The rows that all share are locked
last. COMMIT is a statement of the pipeline, because the driver's own would cost trips.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import Connection, Dialect, Table

from gateway.adapters import schema
from gateway.adapters.posting import (
    Judge,
    Poster,
    Posting,
    Posts,
    Settled,
    Work,
    added_up,
    allowed,
    in_order,
)
from gateway.adapters.rows import Row

if TYPE_CHECKING:
    import psycopg

    Driver = psycopg.Connection[tuple[Any, ...]]

_NEWEST = b"""
    SELECT coalesce(max(n), 0), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM change"""
_DELETE_HOLDS = b"""
    DELETE FROM hold WHERE request_id IN (SELECT json_array_elements_text(%s::json))"""
_OPEN_HOLDS = b"""
    UPDATE hold SET response_id = one.value
    FROM json_each_text(%s::json) AS one WHERE hold.request_id = one.key"""

_NAMES = {table.name: table.columns.keys() for table in schema.metadata.tables.values()}
_encode = msgspec.json.Encoder().encode


class Uncommitted(OSError):
    """The database answered COMMIT with a rollback; the same may work later."""


class PipelinedPoster:
    """The statements of a batch, for psycopg's pipeline."""

    def __init__(self) -> None:
        self._insert_entries = _inserted(
            schema.entry, "ON CONFLICT DO NOTHING RETURNING request_id"
        ).encode()
        # A settlement may overtake its hold (a retry, a waiter that left): the entry is then final.
        no_entry = "WHERE NOT EXISTS (SELECT FROM entry e WHERE e.request_id = one.request_id)"
        self._insert_holds = _inserted(schema.hold, f"{no_entry} ON CONFLICT DO NOTHING").encode()
        self._add_usage = _inserted(schema.usage_hour, _added()).encode()

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge | None = None,
        is_replay: bool = False,  # noqa: ARG002 - the database tells what is fresh anyway
    ) -> None:
        """Write a batch in the caller's transaction, and commit it."""
        work = in_order(batch)
        driver = cast("Driver", connection.connection.driver_connection)
        fresh = self._settle(driver, work, judge)
        self._commit(driver, work, allowed(work, judge), fresh)

    def _settle(self, driver: "Driver", work: Work, judge: Judge | None) -> list[Settled]:
        """The first trip; returns the settlements that were not posted before."""
        with driver.pipeline():
            newest = driver.execute(_NEWEST)
            if work.settled:
                driver.execute(_DELETE_HOLDS, [_json(list(work.settled))])
                rows = [one.row for one in work.settled.values()]
                posted = driver.execute(self._insert_entries, [_records(schema.entry, rows)])
        (number, database_us), *_ = newest.fetchall()
        if judge is not None:
            judge.hear(number, database_us)
        if not work.settled:
            return []
        fresh = {request_id for (request_id,) in posted.fetchall()}
        return [one for request_id, one in work.settled.items() if request_id in fresh]

    def _commit(self, driver: "Driver", work: Work, held: list[Row], fresh: list[Settled]) -> None:
        """The second trip."""
        with driver.pipeline():
            if held:
                driver.execute(self._insert_holds, [_records(schema.hold, held)])
            if work.opened:
                driver.execute(_OPEN_HOLDS, [_json(work.opened)])
            if fresh:
                driver.execute(self._add_usage, [_records(schema.usage_hour, added_up(fresh))])
            committed = driver.execute(b"COMMIT")
        if committed.statusmessage != "COMMIT":
            raise Uncommitted(f"the database answered {committed.statusmessage!r}")


def poster_for(dialect: Dialect) -> Posts:
    """What writes batches to this kind of database."""
    return PipelinedPoster() if dialect.name == "postgresql" else Poster(dialect)


def _inserted(table: Table, rest: str) -> str:
    names = ", ".join(table.columns.keys())
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608 - our own names
        f"FROM json_populate_recordset(NULL::{table.name}, %s::json) AS one {rest}"
    )


def _added() -> str:
    table = schema.usage_hour
    cell = ", ".join(column.name for column in table.primary_key)
    counts = [column.name for column in table.columns if not column.primary_key]
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in counts)
    return f"ON CONFLICT ({cell}) DO UPDATE SET {sums}"


def _records(table: Table, rows: Iterable[Row]) -> str:
    names = _NAMES[table.name]
    return _json([dict(zip(names, row, strict=True)) for row in rows])


def _json(value: object) -> str:
    return _encode(value).decode()
