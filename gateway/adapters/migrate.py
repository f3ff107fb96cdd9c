"""The schema's version, and how to get there. Not here: what a version changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from gateway.adapters.database import write_transaction

_MIGRATING = 7_236_833_192  # any number that nobody else locks
_PACKAGE = Path(__file__).resolve().parents[1]


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Create or upgrade the schema. Of several processes that try, one does it and all return."""
    with _alone(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to an earlier version; `base` leaves no tables, and no data."""
    with _alone(engine) as connection:
        command.downgrade(_config(connection), revision)


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the version that this program was written for."""
    heads = ScriptDirectory.from_config(_config(None)).get_heads()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_heads()
    return set(present) == set(heads)


def head(engine: Engine) -> str | None:
    """The version of the schema that the database has; None where it has none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_empty(engine: Engine) -> bool:
    """Whether the database has no tables at all."""
    return not inspect(engine).get_table_names()


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction for as long as it takes, one at a time."""
    with write_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            # A migration may take longer than any request may; SQLite's gate is shut already.
            for limit in ("statement_timeout", "lock_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        yield connection


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _folder() -> Path:
    """The migrations: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "migrations"
    return installed if installed.is_dir() else _PACKAGE.parent / "migrations"
