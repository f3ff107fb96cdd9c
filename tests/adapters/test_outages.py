"""What passes by itself is told from what never will."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.adapters.outages import is_outage


class UndefinedTable(Exception):
    sqlstate = "42P01"


class SerializationFailure(sqlite3.OperationalError):
    sqlstate = "40001"


@pytest.mark.parametrize(
    "error",
    [
        OSError("gone"),
        PoolTimeout("all in use"),
        sqlite3.OperationalError("database is locked"),
        OperationalError("BEGIN", None, sqlite3.OperationalError("disk I/O error")),
        DBAPIError("BEGIN", None, SerializationFailure()),
        DBAPIError("INSERT", None, UndefinedTable()),
        DBAPIError("INSERT", None, ValueError(), connection_invalidated=True),
    ],
)
def test_what_may_work_later(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("INSERT", None, sqlite3.IntegrityError("CHECK constraint failed")),
        sqlite3.ProgrammingError("binding"),
        OverflowError("too large"),
        KeyError("id"),
    ],
)
def test_what_never_will(error: Exception) -> None:
    assert not is_outage(error)


def test_a_file_that_is_no_database_any_more_may_be_restored(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"no database" * 1000)
    engine = create_engine(f"sqlite:///{tmp_path}/gateway.db")
    with pytest.raises(DBAPIError) as failed, engine.connect() as connection:
        connection.execute(text("SELECT * FROM sqlite_master"))
    assert is_outage(failed.value)
    engine.dispose()
