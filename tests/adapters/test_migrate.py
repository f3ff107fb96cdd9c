"""Knowing and changing the schema's version."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from gateway.adapters import migrate, schema
from gateway.adapters.database import open_engine

MIGRATE = """
import sys
from gateway.adapters import migrate
from gateway.adapters.database import open_engine
migrate.upgrade(open_engine(sys.argv[1]))
"""


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


def test_an_empty_database_is_told_from_a_current_one(empty: Engine) -> None:
    assert migrate.is_empty(empty)
    assert not migrate.is_current(empty)
    migrate.upgrade(empty)
    assert not migrate.is_empty(empty)
    assert migrate.is_current(empty)
    assert set(schema.metadata.tables) < set(inspect(empty).get_table_names())


def test_upgrading_again_changes_nothing(empty: Engine) -> None:
    migrate.upgrade(empty)
    migrate.upgrade(empty)
    assert migrate.is_current(empty)


def test_one_waits_for_another(empty: Engine) -> None:
    is_done = threading.Event()

    def other() -> None:
        migrate.upgrade(empty)
        is_done.set()

    with migrate._alone(empty):
        thread = threading.Thread(target=other)
        thread.start()
        assert not is_done.wait(0.3)
    thread.join()
    assert migrate.is_current(empty)


def test_several_processes_may_try_at_once(empty: Engine, empty_url: str) -> None:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", MIGRATE, empty_url]
    tries = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [one.wait(60) for one in tries] == [0, 0, 0]
    assert migrate.is_current(empty)
