"""`curl -N`, the client of every tutorial: the same bytes, each event when it was sent."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.rawserver import RawServer
from tests.journeys.held import LAST, STREAM_HEAD, chunk, stage_before, stepwise
from tests.journeys.stage import Stage, body

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

EVENTS = [b'data: {"type":"response.output_text.delta","delta":"%d"}\n\n' % n for n in range(5)]


@asynccontextmanager
async def curl(on: Stage, asked: dict[str, object], *options: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *("curl", "--no-buffer", "--silent", "--show-error", "--noproxy", "*", *options),
        *("--header", f"authorization: Bearer {on.key}"),
        *("--json", json.dumps(asked), f"{on.base_url}/responses"),
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_each_event_is_printed_before_the_next_is_sent(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in EVENTS]
    script = stepwise(STREAM_HEAD, [*map(chunk, EVENTS), LAST], gates)
    async with (
        RawServer(script) as upstream,
        stage_before(tmp_path, upstream) as on,
        curl(on, body()) as process,
    ):
        assert process.stdout is not None
        for event, gate in zip(EVENTS, gates, strict=True):
            assert await process.stdout.readexactly(len(event)) == event
            gate.set()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0


@pytest.mark.parametrize("options", [(), ("--compressed",), ("--http1.1",), ("--http2",)])
async def test_what_curl_prints_is_what_was_sent(
    shared_stage: Stage, options: tuple[str, ...]
) -> None:
    data = b"".join(EVENTS) + b"\xff\x00 \r\r\n"
    shared_stage.simulator.replay(data, name="printed", pieces=[7] * 9)
    before = len(shared_stage.entries())
    async with curl(shared_stage, body("[sim: replay=printed]"), *options) as process:
        told, _ = await process.communicate()
    assert (told, process.returncode) == (data, 0)
    await shared_stage.settled(before + 1)


async def test_curl_is_told_of_a_stream_that_breaks_off(shared_stage: Stage) -> None:
    async with curl(shared_stage, body("[sim: cut=500]")) as process:
        told, _ = await process.communicate()
    partial_file = 18  # curl's own exit codes
    assert (len(told), process.returncode) == (500, partial_file)
