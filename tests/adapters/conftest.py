"""The adapters' databases: a fresh SQLite file or PostgreSQL with all tables, and a ledger on it.

Whatever uses `engine` runs on both.
"""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from tests.fakes import postgres


def now_us() -> int:
    return time.time_ns() // 1000


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
