"""The adapters' database: a fresh SQLite file with all tables, and a ledger that writes to it."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url)
    schema.metadata.create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture
async def ledger(engine: Engine) -> AsyncIterator[Ledger]:
    started = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    started.start()
    yield started
    await started.aclose()
