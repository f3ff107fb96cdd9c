"""A gateway as a process of its own, to be signalled, killed, weighed and started again.

Beside it a simulator in this event loop, so that a kill of the one never loses the other's count.
"""

import asyncio
import multiprocessing
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sqlalchemy import Engine, func, select

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.adapters.reports import EntryRow, entries
from gateway.simulator.server import Simulator
from tests.fakes.nursery import PATIENT, start_gateway
from tests.journeys.stage import make_key, until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30
EXIT_SECONDS_MAX = 30
LINE_BYTES_MAX = 1000
IMPATIENT = {PATIENT: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProcess:
    """One run of `gateway serve`."""

    process: ForkServerProcess
    stdout: Connection  # of plain lines
    port: int

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def exit_code(self) -> int:
        await until(lambda: not self.process.is_alive(), seconds_max=EXIT_SECONDS_MAX)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def resident_bytes_max(self) -> int:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@dataclass(slots=True, kw_only=True)
class ProcessStage:
    """A database, a key and a simulator; gateways come and go, `gateway` is the last of them."""

    folder: Path
    simulator: Simulator
    engine: Engine
    key: str
    environment: dict[str, str]
    started: list[GatewayProcess] = field(default_factory=list)

    @property
    def gateway(self) -> GatewayProcess:
        return self.started[-1]

    async def start(self) -> GatewayProcess:
        """Start a gateway on the same state; returns when it takes requests."""
        stdout, writable = multiprocessing.Pipe(duplex=False)
        process = start_gateway(
            *("serve", "--port", "0"),
            environment=self.environment,
            folder=self.folder,
            stdout=writable,
            stderr=self.folder / "gateway.log",
        )
        assert await asyncio.to_thread(stdout.poll, START_SECONDS_MAX), self.log()
        # Unbuffered, and to its end: a line and what ends it may be written one after the other.
        with open(stdout.fileno(), "rb", buffering=0, closefd=False) as lines:
            line = await asyncio.to_thread(lines.readline, LINE_BYTES_MAX)
        found = re.search(rb"listening on http://[^:]+:(\d+)/v1", line)
        assert found is not None, self.log()
        self.started.append(GatewayProcess(process=process, stdout=stdout, port=int(found[1])))
        return self.gateway

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text(encoding="utf-8")

    def entries(self) -> list[EntryRow]:
        """All entries so far, oldest first."""
        return entries(self.engine, limit=100_000)[::-1]

    def holds(self) -> int:
        """Requests whose settlement is still owed."""
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(schema.hold)).scalar_one()

    async def settled(self, count: int) -> list[EntryRow]:
        """The entries, once there are `count` and nothing is owed; more or fewer fail."""
        await until(lambda: len(self.entries()) >= count and self.holds() == 0)
        found = self.entries()
        assert len(found) == count
        return found


@asynccontextmanager
async def process_stage(
    folder: Path, *, database_url: str = "", **environment: str
) -> AsyncIterator[ProcessStage]:
    """A stage with a gateway that runs; `environment` sets more, for example GATEWAY_LOG_LEVEL.

    Its database is a file in `folder`, or the empty one that is named. Tests whose database is
    away say IMPATIENT, so that it is not waited for.
    """
    url = database_url or f"sqlite:///{folder / 'gateway.db'}"
    engine = open_engine(url)
    async with Simulator(port=0) as simulator:
        stage = ProcessStage(
            folder=folder,
            simulator=simulator,
            engine=engine,
            key=make_key(engine),
            environment={
                **clean_environment(),
                "GATEWAY_DATABASE_URL": url,
                "GATEWAY_STATE_DIR": str(folder),
                "GATEWAY_UPSTREAM_BASE_URL": simulator.base_url,
                "GATEWAY_UPSTREAM_API_KEY": "sk-upstream",
                "GATEWAY_RECONCILE_MISSING_SECONDS_MAX": "0",
                PATIENT: "yes",
                **environment,
            },
        )
        try:
            await stage.start()
            yield stage
        finally:
            for gateway in stage.started:
                await _end(gateway)
            engine.dispose()


def clean_environment() -> dict[str, str]:
    """This process' environment without settings, and with this checkout first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


async def _end(gateway: GatewayProcess) -> None:
    """Ask first; then insist."""
    gateway.process.terminate()
    try:
        await gateway.exit_code()
    except TimeoutError:
        gateway.process.kill()
        await gateway.exit_code()
    gateway.process.close()
    gateway.stdout.close()
