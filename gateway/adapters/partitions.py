"""The entries' parts on PostgreSQL: one a month of ids, and one for everything else.

Why by ids and not by dates: a unique key of such a table must hold the column by which it is
parted. A request's id begins with the moment at which it was made, so the primary key is that
column, and is still what it was: one entry an id, whatever part it is in, by `ON CONFLICT DO
NOTHING` as ever. Posting knows nothing of parts. The default part takes what has no other: a month
whose part nobody made loses nothing, and its entries are moved into one later.

Moving goes on while gateways post; only what came meanwhile is moved under the lock of all, and the
few that are left become a new default part, since PostgreSQL would read the old one through to see
who belongs where. It is one transaction, so a failure at any point leaves everything as it was.
SQLite has one table (`retention`).
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from gateway.adapters.database import write_transaction
from gateway.core.month import Month

LOCK_MS_MAX = 1_000  # who waits for all makes all others wait behind
LOCK_ATTEMPTS_MAX = 20
LOCK_PAUSE_SECONDS = 0.5
FEW_ROWS = 1_000  # to be moved while all wait
PASSES_MAX = 10

_KEEPING = 5_221_904_417  # any number that nobody else locks
_NAME = re.compile(r"entry_(\d{4})_(\d{2})\Z")
_NEW_REST = "entry_rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """What was done: the months that have a part now, and the entries that were moved into them."""

    months: tuple[Month, ...]
    moved: int


def has_parts(engine: Engine) -> bool:
    """Whether this kind of database has them."""
    return engine.dialect.name == "postgresql"


def months_with_parts(connection: Connection) -> list[Month]:
    """Oldest first."""
    names = connection.scalars(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = to_regclass('entry')"
        )
    )
    found = (_NAME.match(name) for name in names)
    return sorted(Month(int(match[1]), int(match[2])) for match in found if match)


def partition(engine: Engine, *, now_us: int, ahead: int) -> Partitioned:
    """Give this month, so many after it, and all that the default part has entries of, a part.

    Raises OperationalError where the table was never free for a moment.
    """
    with upkeep(engine) as connection:
        present = set(months_with_parts(connection))
        this = Month.at(now_us)
        wanted = {*_in_rest(connection, this), *(this.plus(n) for n in range(ahead + 1))}
        months = sorted(wanted - present)
        moved = _split(connection, months) if months else 0
    if moved:
        with upkeep(engine) as connection:
            connection.execute(text("ANALYZE entry"))  # nobody else does it for the whole table
    return Partitioned(months=tuple(months), moved=moved)


def drop(connection: Connection, month: Month) -> None:
    """Drop a month's part, in an instant; the caller has the table alone."""
    connection.execute(text(f"DROP TABLE {_part(month)}"))


@contextmanager
def upkeep(engine: Engine) -> Iterator[Connection]:
    """A transaction for as long as it takes; of several only one at a time."""
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_KEEPING})")
        yield connection


def lock_all(connection: Connection) -> None:
    """Have the table alone; asks shortly and again, since others queue behind who asks."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS_MAX}")
    for attempt in range(LOCK_ATTEMPTS_MAX):
        try:
            with connection.begin_nested():
                connection.exec_driver_sql("LOCK TABLE entry IN ACCESS EXCLUSIVE MODE")
            return
        except OperationalError:
            if attempt + 1 == LOCK_ATTEMPTS_MAX:
                raise
        time.sleep(LOCK_PAUSE_SECONDS)


def _in_rest(connection: Connection, this: Month) -> Iterator[Month]:
    """The months, up to this one, of which the default part has entries."""
    oldest_us = connection.scalar(text("SELECT min(created_at_us) FROM entry_default"))
    # Its id may be a little older: it is by the gateway's clock, and the rest by the database's.
    month = this if oldest_us is None else Month.at(oldest_us).plus(-1)
    some = text(
        "SELECT EXISTS (SELECT FROM entry_default WHERE request_id >= :low AND request_id < :high)"
    )
    while month <= this:
        low, high = _bounds(month)
        if connection.scalar(some, {"low": low, "high": high}):
            yield month
        month = month.plus(1)


def _split(connection: Connection, months: Sequence[Month]) -> int:
    for month in months:
        low, high = _bounds(month)
        connection.exec_driver_sql(
            f"CREATE TABLE {_part(month)} (LIKE entry INCLUDING ALL, "
            f"CONSTRAINT is_of_month CHECK (request_id >= '{low}' AND request_id < '{high}'))"
        )
    moved = 0
    for _ in range(PASSES_MAX):
        found = sum(_move(connection, month) for month in months)
        moved += found
        if found < FEW_ROWS:
            break
    lock_all(connection)
    moved += sum(_move(connection, month) for month in months)
    _renew_rest(connection)
    for month in months:
        low, high = _bounds(month)
        connection.exec_driver_sql(
            f"ALTER TABLE entry ATTACH PARTITION {_part(month)} "
            f"FOR VALUES FROM ('{low}') TO ('{high}')"
        )
        connection.exec_driver_sql(f"ALTER TABLE {_part(month)} DROP CONSTRAINT is_of_month")
    connection.exec_driver_sql("ALTER TABLE entry ATTACH PARTITION entry_default DEFAULT")
    return moved


def _move(connection: Connection, month: Month) -> int:
    low, high = _bounds(month)
    return _moved(
        connection, f"WHERE request_id >= '{low}' AND request_id < '{high}'", into=_part(month)
    )


def _renew_rest(connection: Connection) -> None:
    """What belongs to no month, in a table of its own: the large one would be read through."""
    connection.exec_driver_sql(f"CREATE TABLE {_NEW_REST} (LIKE entry INCLUDING ALL)")
    _moved(connection, "", into=_NEW_REST)
    connection.exec_driver_sql("ALTER TABLE entry DETACH PARTITION entry_default")
    connection.exec_driver_sql("DROP TABLE entry_default")
    connection.exec_driver_sql(f"ALTER TABLE {_NEW_REST} RENAME TO entry_default")


def _moved(connection: Connection, which: str, *, into: str) -> int:
    statement = (
        f"WITH moved AS (DELETE FROM entry_default {which} RETURNING *) "  # noqa: S608 - our own names
        f"INSERT INTO {into} SELECT * FROM moved"
    )
    return connection.exec_driver_sql(statement).rowcount


def _part(month: Month) -> str:
    return f"entry_{month.year:04}_{month.number:02}"


def _bounds(month: Month) -> tuple[str, str]:
    return month.first_id, month.plus(1).first_id
