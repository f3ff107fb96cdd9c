"""A database that answers every transaction with an error that may pass."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError


@contextmanager
def outage(engine: Engine) -> Iterator[None]:
    def fail(_: Connection) -> None:
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))

    event.listen(engine, "begin", fail)
    try:
        yield
    finally:
        event.remove(engine, "begin", fail)
