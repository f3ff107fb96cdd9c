"""What is behind which door: one port for both planes, or one each."""

import gc
import socket
from pathlib import Path

import httpx
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tests.journeys.stage import body, stage


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def statuses(port: int, *paths: str) -> list[int]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = [await client.get(f"http://127.0.0.1:{port}{path}") for path in paths]
    return [answer.status_code for answer in answers]


async def test_the_admin_port_has_what_the_data_port_has_not(tmp_path: Path) -> None:
    port = free_port()
    async with stage(tmp_path, admin={"port": port}) as on:
        assert (await on.post(body())).status_code == 200
        assert await statuses(on.port, "/livez", "/readyz", "/metrics") == [200, 200, 404]
        assert await statuses(port, "/livez", "/readyz", "/metrics") == [200, 200, 200]
        assert await statuses(on.port, "/admin/v1/tenants", "/admin/v1/none") == [404, 404]
        assert await statuses(port, "/admin/v1/tenants") == [200], "this machine may read"
        assert await statuses(on.port, "/v1/gateway/usage") == [401], "a key's own view"
        assert await statuses(port, "/v1/gateway/usage") == [404]
        async with on.client() as client:
            refused = await client.post(f"http://127.0.0.1:{port}/v1/responses", json=body())
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        await on.settled(1)


async def test_on_one_port_everything_is_there(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        assert await statuses(on.port, "/livez", "/readyz", "/metrics") == [200, 200, 200]


async def test_what_a_request_was_is_let_go_without_a_search_for_garbage(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                assert (await on.post(body())).status_code == 200
            await on.settled(5)
            left = [one for one in gc.get_objects() if type(one) is RequestResponseCycle]
        finally:
            gc.enable()
    # The connection knows its last one.
    assert len(left) <= 1
