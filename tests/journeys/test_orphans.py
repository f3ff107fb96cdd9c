"""Ten thousand holds of the dead keep no start waiting, and each of them is settled once."""

import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.pricefile import load_prices
from gateway.adapters.rows import hold_row
from gateway.simulator.server import Simulator
from tests import builders
from tests.fakes import ledgerview
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import TENANT, body, now_us, until

STORED_MAX = 4000  # responses that the simulator keeps
ASKED_AT_ONCE = 50


async def stored(simulator: Simulator, count: int) -> list[str]:
    """Names of responses that can be asked for."""
    names = []
    limits = httpx.Limits(max_connections=ASKED_AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, limits=limits) as client:
        for _ in range(count):
            asked = body("[sim: output=20]", stream=False)
            answer = await client.post(f"{simulator.base_url}/responses", json=asked)
            names.append(answer.json()["id"])
    return names


def leave(on: ProcessStage, names: list[str | None]) -> None:
    """The holds of a process that is gone, each with its response's name, if it has one."""
    price = load_prices().find("gpt-5-mini", now_us())
    holds = [
        builders.hold(tenant=TENANT, created_at_us=now_us(), model="gpt-5-mini", price=price)
        for _ in names
    ]
    columns = schema.hold.c.keys()
    rows = [dict(zip(columns, hold_row(each, owner_id="dead"), strict=True)) for each in holds]
    for row, name in zip(rows, names, strict=True):
        row["response_id"] = name
    with write_transaction(on.engine) as connection:
        connection.execute(insert(schema.hold), rows)


async def is_served(on: ProcessStage) -> bool:
    url = f"http://127.0.0.1:{on.gateway.port}"
    async with httpx.AsyncClient(trust_env=False) as client:
        ready = (await client.get(f"{url}/readyz")).status_code
        headers = {"authorization": f"Bearer {on.key}"}
        answer = await client.post(f"{url}/v1/responses", json=body(), headers=headers)
    return (ready, answer.status_code) == (200, 200)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.long)])
async def test_a_start_does_not_wait_for_the_holds_of_the_dead(tmp_path: Path, count: int) -> None:
    async with process_stage(tmp_path, GATEWAY_LOG_LEVEL="warning") as on:
        on.gateway.process.terminate()
        await on.gateway.exit_code()
        known = await stored(on.simulator, min(count // 2, STORED_MAX))
        leave(on, [*known, *(f"resp_{number}" for number in range(count // 2 - len(known)))])
        leave(on, [None] * (count // 2))

        begun = time.perf_counter()
        await on.start()
        assert await is_served(on)
        ready_seconds, left = time.perf_counter() - begun, on.holds()
        await until(lambda: on.holds() == 0, seconds_max=90)
        seconds = time.perf_counter() - begun

        told = f"ready in {ready_seconds:.2f} s with {left} held, none after {seconds:.2f} s"
        print(f"{count} orphans: {told}")
        bases = Counter(entry.basis for entry in on.entries())
        assert bases == {
            "reported": 1, "retrieved": len(known), "worst_case": count - len(known)
        }  # fmt: skip
        ledgerview.audit(on.engine)
