"""PostgreSQL as a device: limits that hold, connections that are replaced."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from gateway.adapters.database import open_engine, write_transaction
from tests.fakes import postgres

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.database() as one:
        yield one


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("synchronous_commit", "on"),
        ("transaction_isolation", "read committed"),
    ],
)
def test_every_connection_has_its_limits(engine: Engine, setting: str, value: str) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == value


def test_what_the_url_says_stands(url: str) -> None:
    engine = open_engine(f"{url}?options=-c%20statement_timeout%3D7s")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "7s"
    engine.dispose()


def test_a_pooled_connection_that_was_cut_is_replaced(engine: Engine, url: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    other = open_engine(url)
    with other.connect() as connection:
        connection.execute(text(TERMINATE + " AND datname = current_database()"))
    other.dispose()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def test_a_server_that_is_away_is_said_without_its_password() -> None:
    engine = open_engine("postgresql+psycopg://u:secret@127.0.0.1:1/d")
    with pytest.raises(OperationalError) as refused, engine.connect():
        pass
    assert "secret" not in str(refused.value)


def test_writers_need_no_gate(engine: Engine) -> None:
    with write_transaction(engine) as one, write_transaction(engine) as other:
        one.execute(text("INSERT INTO tenant (path, created_at_us) VALUES ('a', 1)"))
        other.execute(text("INSERT INTO tenant (path, created_at_us) VALUES ('b', 1)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM tenant")).scalar() == 2
