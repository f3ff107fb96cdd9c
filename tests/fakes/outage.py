"""A database that is away: it answers with an error that may pass, or it does not answer.

And how long is waited for it: a machine that is busy with tests is slow, not away.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from gateway.adapters import database, ledger
from gateway.adapters.database import write_transaction
from gateway.adapters.swift import SwiftPoster

IN_SERVICE = {name: getattr(ledger, name) for name in ("HOLD_SECONDS_MAX", "SETTLE_SECONDS_MAX")}
# How long is waited while the database is away: as patiently as before, or `in_time`.
while_away: Callable[[], AbstractContextManager[None]] = nullcontext


@contextmanager
def in_time() -> Iterator[None]:
    """Inside, who waits for the ledger gives up after twice the time that the gateway gives it.

    That clients are told within a quarter of a second is shown over sockets.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in IN_SERVICE.items():
            patch.setattr(ledger, name, 2 * seconds)
        yield


@contextmanager
def outage(engine: Engine) -> Iterator[None]:
    """Every transaction fails as it begins."""

    def fail(*_: object) -> None:
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))

    event.listen(engine, "begin", fail)
    try:
        with pytest.MonkeyPatch.context() as patch, while_away():
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
        with while_away():
            yield
