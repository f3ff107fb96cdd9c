"""Engines, pragmas and the gate of SQLite; PostgreSQL's limits have a file of their own."""

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gateway.adapters.database import open_engine, write_transaction

HOLD_THE_GATE = """
import fcntl, os, sys
gate = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(gate, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)],
)
def test_every_connection_is_durable(engine: Engine, pragma: str, value: object) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_normal_durability_can_be_asked_for(database_url: str) -> None:
    engine = open_engine(database_url, synchronous="NORMAL")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    engine.dispose()


def test_the_file_is_private_and_its_folder_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new/folder/gateway.db")
    with write_transaction(engine) as connection:
        connection.execute(text("CREATE TABLE t (x)"))
        files = list((tmp_path / "new" / "folder").iterdir())
        assert len(files) == 4  # the database, its log, the log's index, the gate
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/d", "mysql://u:secret@h/d", "no"])
def test_what_cannot_be_used_is_refused_without_showing_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r"use sqlite:///PATH or postgresql\+psycopg") as refused:
        open_engine(url)
    assert "secret" not in str(refused.value)


def test_memory_needs_no_gate() -> None:
    engine = open_engine("sqlite://")
    with write_transaction(engine) as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0
    engine.dispose()


def test_a_failed_block_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write_transaction(engine) as connection:  # noqa: PT012 - the block is the transaction
        connection.execute(text("INSERT INTO tenant (path, created_at_us) VALUES ('a', 1)"))
        raise RuntimeError
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM tenant")).scalar() == 0


def test_readers_do_not_wait_for_writers(engine: Engine) -> None:
    with write_transaction(engine) as writing:
        writing.execute(text("INSERT INTO tenant (path, created_at_us) VALUES ('a', 1)"))
        with engine.connect() as reading:
            assert reading.execute(text("SELECT count(*) FROM tenant")).scalar() == 0


def test_a_writer_waits_for_another_process_at_the_gate(engine: Engine, tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_GATE, str(tmp_path / "gateway.db.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        has_written = threading.Event()
        writer = threading.Thread(target=lambda: _write(engine, has_written))
        writer.start()
        assert not has_written.wait(0.2)
        other.kill()  # the kernel releases what a killed process had locked
        assert has_written.wait(10)
        writer.join()


def test_threads_of_one_process_exclude_each_other(engine: Engine) -> None:
    has_written = threading.Event()
    with write_transaction(engine):
        writer = threading.Thread(target=lambda: _write(engine, has_written))
        writer.start()
        assert not has_written.wait(0.2)
    assert has_written.wait(10)
    writer.join()


def _write(engine: Engine, has_written: threading.Event) -> None:
    with write_transaction(engine):
        has_written.set()
