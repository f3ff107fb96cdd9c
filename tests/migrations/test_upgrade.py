"""The migrations lead to the tables that the program knows, and back to nothing."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from gateway.adapters import console_schema as schema
from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from tests.fakes import postgres


@contextmanager
def fresh(kind: str, path: Path) -> Iterator[Engine]:
    """An empty database."""
    with ExitStack() as stack:
        url = f"sqlite:///{path}"
        if kind == "postgres":
            url = stack.enter_context(postgres.database(is_empty=True))
        opened = open_engine(url)
        stack.callback(opened.dispose)
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(kind: str, tmp_path: Path) -> Iterator[Engine]:
    with fresh(kind, tmp_path / "gateway.db") as opened:
        yield opened


def is_no_part(name: str | None, kind: str, _: Any) -> bool:
    """Parts of a table come and go with the months."""
    return kind != "table" or name is None or not name.startswith("entry_")


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        opts = {"compare_server_default": True, "include_name": is_no_part}
        context = MigrationContext.configure(connection, opts=opts)
        return list(compare_metadata(context, schema.metadata))


def checks(engine: Engine) -> dict[str, set[str]]:
    """Alembic compares no constraints of this kind, and they are what guards the money."""
    seen = inspect(engine)
    return {
        name: {
            re.sub("::bigint|[()]", "", str(check["sqltext"]))
            for check in seen.get_check_constraints(name)
        }
        for name in schema.metadata.tables
    }


def test_head_is_what_the_program_knows(engine: Engine, kind: str, tmp_path: Path) -> None:
    migrate.upgrade(engine)
    assert differences(engine) == []
    with fresh(kind, tmp_path / "known.db") as known:
        schema.metadata.create_all(known)
        assert checks(engine) == checks(known)
    assert checks(engine)["entry"] == {"cost_pusd >= 0", "hold_pusd >= 0"}


def test_there_and_back_and_there_again(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrate.downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(engine)
    assert differences(engine) == []
