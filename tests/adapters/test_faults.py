"""What dies under load and comes back: nothing acknowledged is missing, nothing is doubled."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from tests.fakes import ledgerload, ledgerview, postgres

pytestmark = pytest.mark.usefixtures("full_speed")

ROOT = Path(__file__).parents[2]
ACKNOWLEDGED = 200  # between two faults
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'"
APPLICATION = "responses-gateway"


class Load:
    """A process that holds and settles, and what it was promised so far."""

    def __init__(self, url: str, state_dir: Path) -> None:
        command = [sys.executable, str(Path(ledgerload.__file__)), url, str(state_dir)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        self.promised: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def go_on(self) -> None:
        """Wait until more was promised."""
        with self._news:
            enough = len(self.promised) + ACKNOWLEDGED
            assert self._news.wait_for(lambda: len(self.promised) >= enough, timeout=30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._news:
                    self.promised.append(line.strip())
                    self._news.notify()


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """One of its own: it is killed."""
    started = postgres.Server()
    yield started
    started.remove()


@pytest.fixture
def engine(server: postgres.Server) -> Iterator[Engine]:
    opened = open_engine(server.url.render_as_string(hide_password=False))
    schema.metadata.drop_all(opened)
    postgres.create_tables(opened)
    yield opened
    opened.dispose()


FAULTS = ["sessions", "server", "gateway"]


@pytest.mark.parametrize("times", [3, pytest.param(33, marks=pytest.mark.long)])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_outlives(
    engine: Engine, server: postgres.Server, tmp_path: Path, fault: str, times: int
) -> None:
    url = server.url.render_as_string(hide_password=False)
    loads = [Load(url, tmp_path), Load(url, tmp_path)]
    alive = loads[:]
    try:
        for _ in range(times):
            for load in alive:
                load.go_on()
            if fault == "sessions":
                postgres.administer(server.url, TERMINATE.format(APPLICATION))
            elif fault == "server":
                server.stop(signal.SIGQUIT)
                server.start()
            else:
                alive.pop(0).kill()
                loads.append(Load(url, tmp_path))
                alive.append(loads[-1])
        for load in alive:
            load.go_on()
    finally:
        for load in loads:
            load.kill()
    promised = [line for load in loads for line in load.promised]
    ledgerview.assert_kept(engine, promised)
    print(f"{fault}, {times} times: {len(promised)} promises kept")
