"""The entries' parts on PostgreSQL: one a month of ids, and one for everything else.

Why by ids and not by dates: a unique key of such a table must hold the column by which it is
parted. A request's id begins with the moment at which it was made, so the primary key is that
column, and is still what it was: one entry an id, whatever part it is in, by `ON CONFLICT DO
NOTHING` as ever. Posting knows nothing of parts. The default part takes what has no other: a month
whose part nobody made loses nothing.

What the default part has when parts are made is moved under the lock of all, where it is little.
Where it is much (a ledger that had no parts, or whose upkeep was forgotten) it is set aside as it
is: the default part becomes the part of all that was until some month to come. Not a row is moved
then, and it is read through while gateways post. Each step leaves the table right, and can be done
again; a kill in the middle leaves a bound on ids that are a month away, which the next run takes
off. SQLite has one table (`retention`).
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from gateway.adapters.database import write_transaction
from gateway.core.month import Month

LOCK_MS_MAX = 1_000  # who waits for all makes all others wait behind
LOCK_ATTEMPTS_MAX = 20
LOCK_PAUSE_SECONDS = 0.5
FEW_ROWS = 1_000  # that may be moved while all wait
BOUNDED_US = 31 * 86_400_000_000  # no id within that is out of what is set aside

_KEEPING = 5_221_904_417  # any number that nobody else locks
_NAME = re.compile(r"entry(?:_(?P<since>\d{4}_\d{2}))?(?:_until_(?P<until>\d{4}_\d{2}))?\Z")
_BOUND = "is_in_part"  # tells PostgreSQL what it would else read through to see, under a lock


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A part's months: those before `until`; from `since` on, or all that were."""

    until: Month
    since: Month | None

    @property
    def name(self) -> str:
        """Its table's."""
        since = "" if self.since is None else f"_{_text(self.since)}"
        is_one = self.since is not None and self.since.plus(1) == self.until
        return f"entry{since}" if is_one else f"entry{since}_until_{_text(self.until)}"

    @property
    def low(self) -> str:
        """Its first id, as SQL."""
        return "MINVALUE" if self.since is None else f"'{self.since.first_id}'"

    @property
    def high(self) -> str:
        """The first id that is no more in it, as SQL."""
        return f"'{self.until.first_id}'"


def of_month(month: Month) -> Part:
    """The part of one month."""
    return Part(month.plus(1), month)


def has_parts(engine: Engine) -> bool:
    """Whether this kind of database has them."""
    return engine.dialect.name == "postgresql"


def parts(connection: Connection) -> list[Part]:
    """Those there are beside the default one, oldest first."""
    names = connection.scalars(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = to_regclass('entry')"
        )
    )
    return sorted(_named(match) for match in map(_NAME.match, names) if match is not None)


def partition(
    engine: Engine, *, now_us: int, ahead: int, since: Month | None = None
) -> tuple[Part, ...]:
    """Give this month, so many after it and, where told, those since then a part each.

    Returns the parts that were made; a large ledger without parts becomes one as it is. Raises
    OperationalError where the table was never free for a moment.
    """
    this = Month.at(now_us)
    made: list[Part] = []
    with upkeep(engine) as connection:
        present = parts(connection)
        newest = present[-1].until if present else None
        if newest is not None:  # what came late for months that are gone
            made += _split(connection, [one for one in _in_rest(connection, this) if one < newest])
        is_large = (newest or this) <= this and _rest_rows(connection) > FEW_ROWS
    if is_large:
        made.append(_set_aside(engine, Part(Month.at(now_us + BOUNDED_US).plus(1), newest)))
    with upkeep(engine) as connection:
        present = parts(connection)
        first = min(since or this, this)
        count = 12 * (this.year - first.year) + this.number - first.number + ahead + 1
        wanted = {*_in_rest(connection, this), *(first.plus(n) for n in range(count))}
        fresh = [month for month in wanted if not any(_has(part, month) for part in present)]
        return (*made, *_split(connection, sorted(fresh)))


def drop(connection: Connection, part: Part) -> None:
    """Drop a part, in an instant; the caller has the table alone."""
    connection.exec_driver_sql(f"DROP TABLE {part.name}")


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
        if connection.scalar(some, {"low": month.first_id, "high": month.plus(1).first_id}):
            yield month
        month = month.plus(1)


def _set_aside(engine: Engine, part: Part) -> Part:
    """Make what there is a part. Its last month has not begun yet: nothing runs into its bound."""
    with upkeep(engine) as connection:
        lock_all(connection)
        connection.exec_driver_sql(f"ALTER TABLE entry_default DROP CONSTRAINT IF EXISTS {_BOUND}")
        connection.exec_driver_sql(f"ALTER TABLE entry_default ADD {_bound(part)} NOT VALID")
    try:
        with upkeep(engine) as connection:  # read through, while gateways post
            connection.exec_driver_sql(f"ALTER TABLE entry_default VALIDATE CONSTRAINT {_BOUND}")
        with upkeep(engine) as connection:
            lock_all(connection)
            connection.exec_driver_sql("ALTER TABLE entry DETACH PARTITION entry_default")
            connection.exec_driver_sql(f"ALTER TABLE entry_default RENAME TO {part.name}")
            _attach(connection, part)
            connection.exec_driver_sql(f"ALTER TABLE {part.name} DROP CONSTRAINT {_BOUND}")
            connection.exec_driver_sql("CREATE TABLE entry_default PARTITION OF entry DEFAULT")
    except SQLAlchemyError:
        with upkeep(engine) as connection:
            lock_all(connection)
            connection.exec_driver_sql(
                f"ALTER TABLE entry_default DROP CONSTRAINT IF EXISTS {_BOUND}"
            )
        raise
    return part


def _split(connection: Connection, months: Sequence[Month]) -> list[Part]:
    """Give months their parts, with what the default part has of them."""
    fresh = [of_month(month) for month in months]
    if fresh:
        lock_all(connection)
    for part in fresh:
        connection.exec_driver_sql(
            f"CREATE TABLE {part.name} (LIKE entry INCLUDING ALL, {_bound(part)})"
        )
        moved = f"DELETE FROM entry_default WHERE {_range(part)} RETURNING *"  # noqa: S608 - our own
        connection.exec_driver_sql(
            f"WITH moved AS ({moved}) INSERT INTO {part.name} SELECT * FROM moved"  # noqa: S608 - names
        )
    for part in fresh:
        _attach(connection, part)
        connection.exec_driver_sql(f"ALTER TABLE {part.name} DROP CONSTRAINT {_BOUND}")
    return fresh


def _attach(connection: Connection, part: Part) -> None:
    connection.exec_driver_sql(
        f"ALTER TABLE entry ATTACH PARTITION {part.name} "
        f"FOR VALUES FROM ({part.low}) TO ({part.high})"
    )


def _rest_rows(connection: Connection) -> int:
    """How many entries the default part has; beyond a few they are not counted."""
    some = text("SELECT count(*) FROM (SELECT FROM entry_default LIMIT :few) AS seen")
    return connection.scalar(some, {"few": FEW_ROWS + 1}) or 0


def _has(part: Part, month: Month) -> bool:
    return month < part.until and (part.since is None or month >= part.since)


def _bound(part: Part) -> str:
    return f"CONSTRAINT {_BOUND} CHECK ({_range(part)})"


def _range(part: Part) -> str:
    above = "" if part.since is None else f"request_id >= {part.low} AND "
    return f"{above}request_id < {part.high}"


def _text(month: Month) -> str:
    return f"{month.year:04}_{month.number:02}"


def _named(match: re.Match[str]) -> Part:
    since, until = (
        Month.read(said.replace("_", "-")) if said else None
        for said in match.group("since", "until")
    )
    if until is not None:
        return Part(until, since)
    assert since is not None  # the table itself is no part of its own
    return of_month(since)
