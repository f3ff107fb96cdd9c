"""The database as a device: engines, pragmas, the file gate. Not here: tables or what is written.

SQLite's own waiting sleeps and polls, so that processes sharing one file starve each other for
seconds. Every writer, the command line's too, therefore takes a file lock first: the kernel's queue
is fair, and a kill releases it. PostgreSQL needs no gate, but time limits: whoever hangs must not
hang others.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path
from typing import Literal, cast

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

Synchronous = Literal["FULL", "NORMAL"]
Source = Engine | Connection  # a database, or a transaction that is under way on it

BUSY_MS_MAX = 10_000
CONNECT_SECONDS_MAX = 2
STATEMENT_MS_MAX = 5_000
LOCK_MS_MAX = 2_000
IDLE_IN_TRANSACTION_MS_MAX = 5_000
UNACKNOWLEDGED_MS_MAX = 5_000
PRIVATE_FILE = 0o600
_WRITES = "gateway_writes"
_GATE = "gateway_gate"
_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}
_USE = "use sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"

# Libpq's names. What the URL says itself stands: `options` may not pass a connection pooler.
_POSTGRESQL: dict[str, str | int] = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "tcp_user_timeout": UNACKNOWLEDGED_MS_MAX,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "responses-gateway",
    "options": (
        f"-c statement_timeout={STATEMENT_MS_MAX} -c lock_timeout={LOCK_MS_MAX}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS_MAX}"
        " -c synchronous_commit=on"
    ),
}


def open_engine(url: str, *, synchronous: Synchronous = "FULL") -> Engine:
    """An engine for the URL; creates SQLite's file and folder. ValueError: we cannot use it."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed)
    return _open_sqlite(parsed, synchronous)


def _open_postgresql(url: URL) -> Engine:
    given = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
    # A pooled connection may have been cut meanwhile: it is asked before it is used.
    return create_engine(url, connect_args=given, hide_parameters=True, pool_pre_ping=True)


def _open_sqlite(parsed: URL, synchronous: Synchronous) -> Engine:
    if parsed.database not in (None, "", ":memory:"):
        _create_private(Path(str(parsed.database)))
    # The driver must not begin transactions by itself: the one below says which kind it wants.
    engine = create_engine(parsed, connect_args={"isolation_level": None}, hide_parameters=True)
    event.listen(engine, "connect", _pragmas(synchronous))
    event.listen(engine, "begin", _begin)
    if parsed.database not in (None, "", ":memory:"):
        # A descriptor of its own for each connection: threads of one process exclude each other.
        event.listen(engine, "connect", _gate_opener(_lock_path(Path(str(parsed.database)))))
        event.listen(engine, "close", _close_gate)
    return engine


@contextmanager
def write_transaction(source: Source) -> Iterator[Connection]:
    """A transaction that may write: committed when the block ends, rolled back when it raises.

    A connection is in one already, and is its owner's to commit: this joins it.
    """
    if isinstance(source, Connection):
        yield source
        return
    with source.connect() as connection, _gate(connection):
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def reading(source: Source) -> Iterator[Connection]:
    """A connection to read on: a new one, or the one whose transaction is joined."""
    if isinstance(source, Connection):
        yield source
        return
    with source.connect() as connection:
        yield connection


@contextmanager
def write_on(connection: Connection) -> Iterator[None]:
    """The same on a connection that its owner keeps; raises the driver's own errors too.

    To SQLite it says itself when to begin and to commit: SQLAlchemy takes longer for that than a
    small transaction takes.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        with connection.begin():
            yield
        return
    with _gate(connection):
        driver.execute("BEGIN IMMEDIATE")
        try:
            yield
            driver.commit()
        finally:
            driver.rollback()  # does nothing after the commit
            connection.rollback()  # which may have been asked something on the way


def insert_into(table: Table, dialect: Dialect) -> sqlite.Insert:
    """An insert that may say what to do on conflict, in the database's own dialect.

    SQLite and PostgreSQL have the clause in common, and SQLAlchemy has a class of it for each.
    """
    if dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Nothing here may repeat the text: it may hold a password.
        raise ValueError(f"the database URL cannot be read; {_USE}") from None
    if parsed.drivername not in _DRIVERS:
        raise ValueError(f"the database {parsed.drivername!r} is not supported; {_USE}")
    return parsed


def _create_private(path: Path) -> None:
    """Both files have one owner from the start, whoever writes later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in (path, _lock_path(path)):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _pragmas(
    synchronous: Synchronous,
) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        # The time-out first: turning WAL on may itself have to wait.
        for pragma in (
            f"busy_timeout={BUSY_MS_MAX}",
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return connect


def _begin(connection: Connection) -> None:
    # A deferred transaction that turns to writing fails at once, whatever the time-out.
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
        return  # by who keeps the connection
    is_writing = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _gate_opener(path: Path) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def connect(_: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[_GATE] = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)

    return connect


def _close_gate(_: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    os.close(entry.info.pop(_GATE))


@contextmanager
def _gate(connection: Connection) -> Iterator[None]:
    """Where writers queue; there is none where the database queues them, or is one's own."""
    gate = connection.info.get(_GATE)
    if gate is None:
        yield
        return
    flock(gate, LOCK_EX)
    try:
        yield
    finally:
        flock(gate, LOCK_UN)
