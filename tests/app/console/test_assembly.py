"""The console as a gateway serves it: on its port, behind its token, in every worker."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx

from tests.journeys.caller import calling
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import WAIT_SECONDS_MAX, body, stage, until
from tests.journeys.test_workers import holders

TOKEN = "the-token-of-this-gateway"


async def test_it_is_served_behind_the_gateway_s_token(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, admin={"token": TOKEN}) as on,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{on.port}", trust_env=False) as client,
    ):
        shown = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/console", headers=shown)).status_code == 200
        assert (await client.get("/console")).status_code == 401
        key = {"authorization": f"Bearer {on.key}"}
        assert (await client.get("/console", headers=key)).status_code == 401


async def test_on_loopback_without_a_token_nobody_has_to_log_in(tmp_path: Path) -> None:
    async with (
        stage(tmp_path) as on,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{on.port}", trust_env=False) as client,
    ):
        page = await client.get("/console")
        assert (page.status_code, "Log out" in page.text) == (200, False)


async def logged_in(url: str) -> dict[str, str]:
    """The cookies of a session that one of the workers began."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        page = await client.get(f"{url}/login")
        token = page.text.split('name="form_token" value="')[1].split('"')[0]
        entered = await client.post(f"{url}/login", data={"form_token": token, "token": TOKEN})
        assert entered.status_code == 303
        return dict(client.cookies)


async def seen_at_work(url: str, cookies: dict[str, str]) -> int:
    """How many streams one of the workers, whichever answers, knows the phase of."""
    async with httpx.AsyncClient(trust_env=False, timeout=30, cookies=cookies) as fresh:
        rows = await fresh.get(f"{url}/live/rows")
    assert rows.status_code == 200, "the session is known to every worker"
    return rows.text.count('<span class="tag live">')


def are_open(on: ProcessStage, count: int) -> bool:
    return sum(holders(on).values()) == count


async def streams_at_both(on: ProcessStage, stack: AsyncExitStack) -> int:
    """Which of them takes a connection is the kernel's choice: so many until both have one."""
    said = body("Hello [sim: output=40; stall=1500,600]")
    asked = 0
    while len(holders(on)) < 2:
        await stack.enter_async_context(calling(on.gateway.port, on.key, said))
        asked += 1
        await until(partial(are_open, on, asked))
    return asked


async def test_workers_are_one_console(tmp_path: Path) -> None:
    environment = {
        "GATEWAY_WORKERS": "2",
        "GATEWAY_ADMIN_TOKEN": TOKEN,
        "GATEWAY_SHUTDOWN_SECONDS_MAX": "1",
    }
    async with process_stage(tmp_path, **environment) as on, AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{on.gateway.port}/console"
        asked = await streams_at_both(on, stack)
        cookies = await logged_in(url)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while await seen_at_work(url, cookies) != asked:
                await asyncio.sleep(0.1)
