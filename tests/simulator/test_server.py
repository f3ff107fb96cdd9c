"""The server as a whole: connections, control, counting, and the program."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import httpx

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call, respond


async def test_a_connection_serves_many_requests(sim: Simulator) -> None:
    body = {"model": "gpt-5.6", "input": "Hello", "stream": True}
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(3):
            reply = await client.post(f"{sim.base_url}/responses", json=body)
            assert reply.status_code == 200
        stats = (await client.get(f"{sim.url}/__sim/stats")).json()
    assert (stats["requests"], stats["served"], stats["complete"]) == (3, 3, 3)
    assert stats["connections"] == 1
    assert len(sim.requests) == 3


async def test_a_client_can_ask_to_close(sim: Simulator) -> None:
    reply = await call(sim.base_url, "GET", "/v1/models", connection="close")
    assert reply.status == 200


async def test_the_oracle_is_told_over_http(sim: Simulator) -> None:
    await respond(sim.base_url, "usage=in:7,out:3; cut=50")
    await respond(sim.base_url, "kind=failed")
    lines = (await call(sim.base_url, "GET", "/__sim/served")).body.decode().splitlines()
    cut, failed = (json.loads(line) for line in lines)
    assert (cut["usage"]["total_tokens"], cut["is_complete"], cut["body_bytes"]) == (10, False, 50)
    assert (failed["outcome"], failed["usage"], failed["request_index"]) == ("failed", None, 1)
    await call(sim.base_url, "POST", "/__sim/reset")
    assert (await call(sim.base_url, "GET", "/__sim/served")).body == b""
    assert (await call(sim.base_url, "GET", "/__sim/nothing")).status == 404


async def test_a_client_that_leaves_is_counted_all_the_same(sim: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sim.url.rpartition(":")[2]))
    body = json.dumps({"model": "m", "input": "[sim: slow=1; output=999]", "stream": True})
    head = f"POST /v1/responses HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body.encode())
    await reader.readuntil(b"response.created")
    writer.transport.abort()
    while sim.open_count:
        await asyncio.sleep(0.01)
    (served,) = sim.served
    assert not served.is_complete
    assert served.usage is not None


async def test_stopping_ends_what_is_open() -> None:
    async with Simulator() as sim:
        asked = asyncio.ensure_future(respond(sim.base_url, "stall=10,60"))
        while not sim.served:
            await asyncio.sleep(0.01)
    assert (await asked).ending == "eof"


async def test_the_program_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    log = tmp_path / "served.jsonl"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.simulator", "--log", str(log), "--api-key", "k",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None
    line = (await program.stdout.readline()).decode()
    base_url = line.removeprefix("simulator listening on ").strip()
    body = {"model": "gpt-5.6", "input": "Hello"}
    reply = await call(base_url, "POST", "/v1/responses", body, authorization="Bearer k")
    program.send_signal(signal.SIGTERM)
    assert await program.wait() == 0
    assert json.loads(log.read_text())["response_id"] == reply.json["id"]
