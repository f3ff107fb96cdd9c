"""The adapters' databases: a fresh SQLite file or PostgreSQL with all tables, and a ledger on it.

Whatever uses `engine` runs on both.
"""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import ledger as ledger_limits
from gateway.adapters import ownership, schema
from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from tests.fakes import outage, postgres

PATIENCE_SECONDS = 20.0
# What becomes of holds that wait too long for a database that is away.
IN_TIME = {"test_ledger", "test_ledger_outage"}


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with tests is no dead database; only one that is away is given up."""
    monkeypatch.setattr(ledger_limits, "HOLD_SECONDS_MAX", PATIENCE_SECONDS)
    monkeypatch.setattr(ownership, "READ_SECONDS_MAX", PATIENCE_SECONDS)
    if request.module.__name__.rpartition(".")[2] in IN_TIME:
        monkeypatch.setattr(ledger_limits, "SETTLE_SECONDS_MAX", PATIENCE_SECONDS)
        monkeypatch.setattr(outage, "while_away", outage.in_time)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/gateway.db"
        return
    with postgres.database(is_empty=True) as url:
        yield url


@pytest.fixture
def database_url(kind: str, tmp_path: Path) -> Iterator[str]:
    """A database with all tables."""
    if kind == "postgres":
        with postgres.database() as url:
            yield url
        return
    url = f"sqlite:///{tmp_path}/gateway.db"
    engine = open_engine(url)
    schema.metadata.create_all(engine)
    engine.dispose()
    yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
async def ledger(engine: Engine) -> AsyncIterator[Ledger]:
    started = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    started.start()
    yield started
    await started.aclose()
