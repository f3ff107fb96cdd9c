"""A database that is away: it answers with an error that may pass, or it does not answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from gateway.adapters import database
from gateway.adapters.database import write_transaction
from gateway.adapters.swift import SwiftPoster


@contextmanager
def outage(engine: Engine) -> Iterator[None]:
    """Every transaction fails as it begins."""

    def fail(*_: object) -> None:
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))

    event.listen(engine, "begin", fail)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # Where a ledger begins by itself: behind the gate, and in one trip.
            patch.setattr(database, "flock", fail)
            patch.setattr(SwiftPoster, "_prepared", fail)
            yield
    finally:
        event.remove(engine, "begin", fail)


@contextmanager
def gate_shut(engine: Engine) -> Iterator[None]:
    """Another writer that does not come to an end: nothing can be written."""
    with write_transaction(engine) as other:
        if engine.dialect.name == "postgresql":  # SQLite's gate is shut by any writer
            other.exec_driver_sql("LOCK TABLE hold, entry IN ACCESS EXCLUSIVE MODE")
        yield
