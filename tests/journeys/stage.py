"""The stage of a journey: simulator, gateway and database, with real sockets between them."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.migrate import upgrade
from gateway.adapters.reports import EntryRow, entries
from gateway.app.factory import create_app
from gateway.app.server import GatewayServer, listen, make_server
from gateway.config.settings import Settings
from gateway.simulator.server import Simulator

TENANT = "acme/search"
WAIT_SECONDS_MAX = 20


def now_us() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a journey may look at. `base_url` is the gateway's, with `/v1`."""

    simulator: Simulator
    server: GatewayServer
    base_url: str
    port: int
    engine: Engine
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def entries(self) -> list[EntryRow]:
        """All entries so far, oldest first."""
        return entries(self.engine, limit=100_000)[::-1]

    async def settled(self, count: int) -> list[EntryRow]:
        """The entries, once there are `count`; more or fewer fail."""
        await until(lambda: len(self.entries()) >= count)
        found = self.entries()
        assert len(found) == count
        return found

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A plain HTTP client that shows the key and reads no environment."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            headers=self.headers, trust_env=False, timeout=60, limits=limits
        ) as client:
            yield client

    async def post(self, body: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
        """`POST /v1/responses`, read whole."""
        async with self.client() as client:
            content = {"content": body} if isinstance(body, bytes) else {"json": body}
            return await client.post(f"{self.base_url}/responses", headers=headers, **content)


def body(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """A request; `text` may carry the simulator's directive."""
    return {"model": "gpt-5-mini", "input": text, "stream": True, **fields}


@asynccontextmanager
async def stage(folder: Path, **sections: dict[str, Any]) -> AsyncIterator[Stage]:
    """A simulator and a gateway in this event loop; `sections` change settings by section."""
    async with Simulator(port=0) as simulator:
        settings = settings_for(folder, simulator.base_url, **sections)
        async with running(settings) as (server, port):
            engine = open_engine(settings.database.url)
            yield Stage(
                simulator=simulator,
                server=server,
                base_url=f"http://127.0.0.1:{port}/v1",
                port=port,
                engine=engine,
                key=make_key(engine),
            )
            engine.dispose()


def settings_for(folder: Path, upstream_url: str, **sections: dict[str, Any]) -> Settings:
    """Settings on a database of their own, with a free port."""
    fields: dict[str, Any] = {
        "port": 0,
        "state_dir": folder,
        "upstream": {"base_url": upstream_url, "api_key": "sk-upstream"},
        "reconcile": {"missing_seconds_max": 0},  # upstreams here have what they will ever have
    }
    for name, section in sections.items():
        fields[name] = {**fields.get(name, {}), **section}
    return Settings.model_validate(fields)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[GatewayServer, int]]:
    """A gateway that serves; at the end it is stopped as SIGTERM stops it."""
    engine = open_engine(settings.database.url)
    upgrade(engine)
    engine.dispose()
    listeners = listen(settings)
    server = make_server(create_app(settings), settings)
    async with serving_app(server, listeners):
        yield server, listeners[0].getsockname()[1]


@asynccontextmanager
async def serving_app(server: GatewayServer, listeners: list[socket.socket]) -> AsyncIterator[None]:
    """A server that runs inside the block."""
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server._serve(listeners))
        await until(lambda: server.started or serving.done())
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def make_key(engine: Engine, tenant: str = TENANT) -> str:
    """A new key of a tenant, which is created when it is not there."""
    upgrade(engine)
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant(tenant)
    return directory.issue_key(tenant).text


async def until(holds: Callable[[], bool], *, seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Wait for a condition that nothing announces."""
    async with asyncio.timeout(seconds_max):
        while not holds():
            await asyncio.sleep(0.01)
