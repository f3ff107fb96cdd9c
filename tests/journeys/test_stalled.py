"""Clients that stop reading large streams: little memory each, no harm to others, exact entries.

The gateway is a process of its own, weighed; the streams are played in pieces of a usual size. When
a stalled client is cut off its answer is read to the end, so that its usage is known.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.adapters.reports import EntryRow
from gateway.simulator.oracle import Served
from tests.fakes.told import event
from tests.journeys.bill import assert_exact
from tests.journeys.caller import Caller, calling, whole_answer
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body

MIB = 1024 * 1024
GROWTH_BYTES_MAX = 128 * MIB
WARM_REQUESTS = 20
PIECE_BYTES = 65_536
RECEIVE_BYTES = 16_384  # of a client's kernel: what it does not read is soon not taken either
OTHERS = 20
SETTLE_SECONDS_MAX = 420
USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
SERVED = Served(
    request_index=0,
    response_id="resp_large",
    model="gpt-5-mini",
    service_tier="default",
    usage=USAGE,
    tool_usage={},
    outcome="completed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many clients, each of a stream so large."""

    clients: int
    stream_mib: int
    stall_seconds: int


def large_stream(mib: int) -> bytes:
    response = {
        "id": SERVED.response_id,
        "object": "response",
        "model": SERVED.model,
        "service_tier": SERVED.service_tier,
        "output": [{"type": "message"}],
    }
    created = event("response.created", response={**response, "usage": None})
    delta = event("response.output_text.delta", delta="x" * 4000)
    ended = {**response, "status": "completed", "usage": USAGE}
    terminal = event("response.completed", response=ended)
    return created + delta * (mib * MIB // len(delta)) + terminal


async def stall(on: ProcessStage, stack: AsyncExitStack, count: int) -> list[Caller]:
    """Clients that have read the head of their answer, and no more."""
    asked = body("[sim: replay=large]")

    async def one() -> Caller:
        port, key = on.gateway.port, on.key
        caller = await stack.enter_async_context(calling(port, key, asked, limit=RECEIVE_BYTES))
        await caller.read(0)
        return caller

    return [await one() for _ in range(count)]


async def serve_others(on: ProcessStage) -> None:
    for _ in range(OTHERS):
        told = await whole_answer(on.gateway.port, on.key, body())
        assert told.ending == "whole"


async def all_settled(on: ProcessStage, count: int) -> list[EntryRow]:
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while len(on.entries()) < count or on.holds():
            await asyncio.sleep(0.5)
    return on.entries()


def assert_crowd_exact(entries: list[EntryRow], crowd: Crowd) -> None:
    """Each stalled client's entry is exact, although none of them saw the usage."""
    stalled = [entry for entry in entries if entry.response_id == SERVED.response_id]
    assert len(stalled) == crowd.clients
    for entry in stalled:
        assert_exact(entry, SERVED)
        assert entry.client_gone
    assert len(entries) == crowd.clients + WARM_REQUESTS + OTHERS


def grown_mib(on: ProcessStage, before: int) -> float:
    return (on.gateway.resident_bytes_max() - before) / MIB


@pytest.mark.parametrize(
    "crowd",
    [
        Crowd(clients=60, stream_mib=10, stall_seconds=6),
        pytest.param(
            Crowd(clients=500, stream_mib=50, stall_seconds=60), marks=pytest.mark.long, id="long"
        ),
    ],
)
async def test_a_crowd_that_stops_reading(tmp_path: Path, crowd: Crowd) -> None:
    limits = {
        "GATEWAY_LIMITS_WRITE_STALL_SECONDS_MAX": str(crowd.stall_seconds),
        "GATEWAY_DRAIN_DRAINS_MAX": str(crowd.clients),
        "GATEWAY_LOG_LEVEL": "warning",
    }
    stream = large_stream(crowd.stream_mib)
    pieces = [PIECE_BYTES] * (len(stream) // PIECE_BYTES)
    async with process_stage(tmp_path, **limits) as on, AsyncExitStack() as stack:
        on.simulator.replay(stream, name="large", pieces=pieces)
        for _ in range(WARM_REQUESTS):
            await whole_answer(on.gateway.port, on.key, body())
        before = on.gateway.resident_bytes_max()
        await stall(on, stack, crowd.clients)
        await serve_others(on)
        assert on.simulator.open_count == crowd.clients, "all of them are held back"
        stalled_mib = grown_mib(on, before)
        entries = await all_settled(on, crowd.clients + WARM_REQUESTS + OTHERS)
        drained_mib = grown_mib(on, before)
        print(
            f"{crowd.clients} stalled clients of {crowd.stream_mib} MiB: grew by {stalled_mib:.1f} "
            f"MiB while stalled, {drained_mib:.1f} MiB until all were read to their ends"
        )
        assert_crowd_exact(entries, crowd)
        assert max(stalled_mib, drained_mib) * MIB < GROWTH_BYTES_MAX
