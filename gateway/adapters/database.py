"""The database as a device: engines, pragmas, the file gate. Not here: tables or what is written.

SQLite's own waiting sleeps and polls, so that processes sharing one file starve each other for
seconds. Every writer, the command line's too, therefore takes a file lock first: the kernel's queue
is fair, and a kill releases it.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

Synchronous = Literal["FULL", "NORMAL"]

BUSY_MS_MAX = 10_000
PRIVATE_FILE = 0o600
_WRITES = "gateway_writes"


def open_engine(url: str, *, synchronous: Synchronous = "FULL") -> Engine:
    """An engine for the URL; creates SQLite's file and folder. ValueError: we cannot use it."""
    parsed = _parse(url)
    if parsed.database not in (None, "", ":memory:"):
        _create_private(Path(str(parsed.database)))
    # The driver must not begin transactions by itself: the one below says which kind it wants.
    engine = create_engine(parsed, connect_args={"isolation_level": None}, hide_parameters=True)
    event.listen(engine, "connect", _pragmas(synchronous))
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write: committed when the block ends, rolled back when it raises."""
    with engine.connect() as connection, write_on(connection):
        yield connection


@contextmanager
def write_on(connection: Connection) -> Iterator[None]:
    """The same on a connection that its owner keeps."""
    connection.execution_options(**{_WRITES: True})
    with _gate(connection.engine.url), connection.begin():
        yield


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
        raise ValueError("the database URL cannot be read; use sqlite:///PATH") from None
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"the database {parsed.drivername!r} is not supported; use sqlite:///PATH")
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
    is_writing = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


@contextmanager
def _gate(url: URL) -> Iterator[None]:
    if url.database in (None, "", ":memory:"):
        yield
        return
    # A descriptor of its own for each writer: threads of one process exclude each other too.
    gate = os.open(_lock_path(Path(str(url.database))), os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)
