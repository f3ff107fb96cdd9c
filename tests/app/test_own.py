"""A key's own view where the ledger is away, or asked too much at once."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from gateway.app.errors import answer
from gateway.app.own import READS_AT_ONCE, own_router
from gateway.core.errors import GatewayError
from gateway.core.inheritance import effective
from gateway.core.tenant import Tenant


class Everybody:
    """A door that lets all in, and limits nobody."""

    async def tenant_of(self, headers: object, *, peer: str) -> Tenant:
        return Tenant(path="acme", key_id="k1")

    async def find(self, tenant: Tenant) -> Any:
        return effective([])

    async def admit(self, levels: object, *, key_id: str) -> None:
        pass


def client(statements: Any) -> httpx.AsyncClient:
    app = FastAPI()
    app.add_exception_handler(GatewayError, answer)
    door: Any = Everybody()
    app.include_router(own_router(statements, authenticator=door, policies=door, minutes=door))
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test/v1/gateway")


async def test_a_ledger_that_is_away_is_told() -> None:
    def usage(tenant: Tenant) -> None:
        raise OperationalError("", None, Exception("away"))

    async with client(SimpleNamespace(usage=usage)) as one:
        told = await one.get("/usage")
    assert (told.status_code, told.json()["error"]["code"]) == (503, "ledger_unavailable")


async def test_few_read_at_once() -> None:
    reading, most, gate = 0, 0, threading.Event()

    def usage(tenant: Tenant) -> dict[str, object]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        gate.wait()
        reading -= 1
        return {}

    async with client(SimpleNamespace(usage=usage)) as one, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(one.get("/usage")) for _ in range(3 * READS_AT_ONCE)]
        while most < READS_AT_ONCE:
            await asyncio.sleep(0.01)
        gate.set()
    assert most == READS_AT_ONCE
    assert [task.result().status_code for task in asked] == [200] * len(asked)
