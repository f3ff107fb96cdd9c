"""The migrations lead to the tables that the program knows, and back to nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from gateway.adapters import migrate, schema
from gateway.adapters.database import open_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path}/gateway.db")
    yield opened
    opened.dispose()


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, schema.metadata))


def checks(engine: Engine) -> dict[str, set[str]]:
    """Alembic compares no constraints of this kind, and they are what guards the money."""
    seen = inspect(engine)
    return {
        name: {str(check["sqltext"]) for check in seen.get_check_constraints(name)}
        for name in schema.metadata.tables
    }


def test_head_is_what_the_program_knows(engine: Engine, tmp_path: Path) -> None:
    migrate.upgrade(engine)
    assert differences(engine) == []
    known = open_engine(f"sqlite:///{tmp_path}/known.db")
    schema.metadata.create_all(known)
    assert checks(engine) == checks(known)
    assert checks(engine)["entry"] == {"cost_pusd >= 0", "hold_pusd >= 0"}
    known.dispose()


def test_there_and_back_and_there_again(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrate.downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(engine)
    assert differences(engine) == []
