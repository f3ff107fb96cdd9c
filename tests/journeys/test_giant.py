"""Giants: events and bodies that no memory should hold, and clients that do not read.

The gateway is a process of its own, so that its memory can be weighed.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.rawserver import RawServer, close, flood, read_request, send
from tests.journeys.bill import assert_read
from tests.journeys.caller import Caller, calling, whole_answer
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, until

MIB = 1024 * 1024
GROWTH_BYTES_MAX = 32 * MIB
BULK_MARK = "\ue000".encode()  # what the simulator keeps in the place of a bulk
STALLED = 100
WARM_REQUESTS = 20
# Each may have what the observer keeps of an event (1 MiB), and the buffers of two connections.
STALLED_GROWTH_BYTES_MAX = STALLED * 2 * MIB
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def giant(mib: int, where: str, **fields: Any) -> dict[str, Any]:
    return body(f"[sim: huge={mib}; huge_where={where}]", **fields)


@asynccontextmanager
async def warm_stage(folder: Path, **environment: str) -> AsyncIterator[tuple[ProcessStage, int]]:
    """A stage whose gateway has served a little of everything, and its memory after that."""
    async with process_stage(folder, GATEWAY_LOG_LEVEL="warning", **environment) as on:
        for fields in ({"stream": True}, {"stream": False}):
            for _ in range(WARM_REQUESTS):
                asked = body("[sim: output=200]", **fields)
                assert (await whole_answer(on.gateway.port, on.key, asked)).ending == "whole"
        yield on, on.gateway.resident_bytes_max()


async def hashed(port: int, key: str, asked: dict[str, Any]) -> tuple[Caller, str]:
    """Read an answer whole without keeping it."""
    digest = hashlib.sha256()
    async with calling(port, key, asked) as caller:
        caller.take = digest.update
        await caller.read()
    return caller, digest.hexdigest()


async def told_again(on: ProcessStage, mib: int, *, is_stream: bool) -> tuple[int, str]:
    """Length and hash of the same answer, asked of the simulator itself."""
    digest, length = hashlib.sha256(), 0
    url = f"{on.simulator.base_url}/responses/{on.simulator.served[-1].response_id}"
    query = {"stream": "true"} if is_stream else {}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60) as client,
        client.stream("GET", url, params=query) as answer,
    ):
        async for piece in answer.aiter_raw():
            # A whole answer that is asked for again keeps a mark in the place of its bulk.
            before, mark, after = piece.partition(BULK_MARK)
            for part in (before, b"A" * mib * MIB if mark else b"", after):
                digest.update(part)
                length += len(part)
    return length, digest.hexdigest()


async def check_giant(folder: Path, mib: int, where: str, *, is_stream: bool = True) -> None:
    async with warm_stage(folder) as (on, before):
        warm = len(on.entries())
        for count in (1, 2):
            asked = giant(mib, where, stream=is_stream)
            caller, digest = await hashed(on.gateway.port, on.key, asked)
            assert (caller.status, caller.ending) == (200, "whole")
            assert caller.body_bytes > mib * MIB
            entry = (await on.settled(warm + count))[-1]
            assert_read(entry, on.simulator.served[-1])
            # The simulator's bulk is an image, which no price is known for: so says the entry.
            assert (entry.cost_pusd, entry.problem) == (None, "meter_unpriced")
            assert (caller.body_bytes, digest) == await told_again(on, mib, is_stream=is_stream)
        growth = on.gateway.resident_bytes_max() - before
        print(f"{mib} MiB ({where}, stream={is_stream}), twice: grew by {growth / MIB:.1f} MiB")
        assert growth < GROWTH_BYTES_MAX


@pytest.mark.parametrize("where", ["delta", "terminal"])
async def test_an_event_of_64_mib_passes(tmp_path: Path, where: str) -> None:
    await check_giant(tmp_path, 64, where)


async def test_a_body_of_64_mib_passes(tmp_path: Path) -> None:
    await check_giant(tmp_path, 64, "terminal", is_stream=False)


@pytest.mark.long
@pytest.mark.parametrize("where", ["delta", "terminal"])
async def test_an_event_of_200_mib_passes(tmp_path: Path, where: str) -> None:
    await check_giant(tmp_path, 200, where)


@pytest.mark.long
async def test_a_body_of_200_mib_passes(tmp_path: Path) -> None:
    await check_giant(tmp_path, 200, "terminal", is_stream=False)


async def check_boundless(folder: Path, mib: int) -> None:
    """A stream in which no event ever ends."""
    few = [read_request, send(STREAM_HEAD + b"data: nothing much\n\n"), close]
    many = [read_request, send(STREAM_HEAD), flood(mib * MIB), close]
    async with (
        RawServer(lambda number: many if number >= WARM_REQUESTS else few) as upstream,
        process_stage(folder, GATEWAY_UPSTREAM_BASE_URL=upstream.url) as on,
    ):
        for _ in range(WARM_REQUESTS):
            await whole_answer(on.gateway.port, on.key, body())
        before = on.gateway.resident_bytes_max()
        caller, _ = await hashed(on.gateway.port, on.key, body())
        assert (caller.ending, caller.body_bytes) == ("whole", mib * MIB)
        growth = on.gateway.resident_bytes_max() - before
        print(f"{mib} MiB without an event: grew by {growth / MIB:.1f} MiB")
        assert growth < GROWTH_BYTES_MAX
        entry = (await on.settled(WARM_REQUESTS + 1))[-1]
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")


async def test_a_stream_of_32_mib_without_any_event_passes(tmp_path: Path) -> None:
    await check_boundless(tmp_path, 32)


@pytest.mark.long
async def test_a_stream_of_a_gib_without_any_event_passes(tmp_path: Path) -> None:
    await check_boundless(tmp_path, 1024)


async def test_clients_that_do_not_read_cost_little_and_hurt_nobody(tmp_path: Path) -> None:
    async with warm_stage(tmp_path) as (on, before), AsyncExitStack() as all_stalled:
        asked = giant(16, "delta")
        stalled = [
            await all_stalled.enter_async_context(calling(on.gateway.port, on.key, asked))
            for _ in range(STALLED)
        ]
        await until(lambda: on.simulator.open_count == STALLED)
        for _ in range(20):
            others = (whole_answer(on.gateway.port, on.key, body()) for _ in range(5))
            assert {one.ending for one in await asyncio.gather(*others)} == {"whole"}
        assert on.simulator.open_count == STALLED  # and every one of them is held back
        growth = on.gateway.resident_bytes_max() - before
        print(f"{STALLED} clients that do not read: grew by {growth / MIB:.1f} MiB")
        assert growth < STALLED_GROWTH_BYTES_MAX
        await stalled[0].read()
        assert stalled[0].ending == "whole"
