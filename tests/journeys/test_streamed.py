"""A stream as its client sees it: each event at once, and the last one only when it is paid for."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.fakes.rawserver import RawServer, Script, read_request, send
from tests.journeys.bill import assert_exact
from tests.journeys.caller import Caller, calling
from tests.journeys.cuts import replayed
from tests.journeys.held import (
    LAST,
    STREAM_HEAD,
    asked_in_turns,
    chunk,
    ledger_held,
    quiet,
    stage_before,
    stepwise,
)
from tests.journeys.stage import Stage, body

USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}


def event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def response(status: str, **fields: object) -> dict[str, object]:
    return {"id": "resp_1", "object": "response", "status": status, "model": "gpt-5-mini", **fields}


CREATED = event("response.created", response=response("in_progress", usage=None))
DELTAS = [event("response.output_text.delta", delta=word) for word in ("One ", "by ", "one.")]
COMPLETED = event("response.completed", response=response("completed", usage=USAGE))
EVENTS = [CREATED, *DELTAS, COMPLETED]
STREAM = b"".join(EVENTS)
BEFORE = len(STREAM) - len(COMPLETED)


async def all_read(callers: list[Caller], body_bytes: int | None = None) -> None:
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(caller.read(body_bytes))


async def test_each_event_is_at_the_client_before_the_next_is_sent(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in EVENTS]
    pieces = [*map(chunk, EVENTS), LAST]
    async with (
        RawServer(stepwise(STREAM_HEAD, pieces, gates)) as upstream,
        stage_before(tmp_path, upstream) as on,
        calling(on.port, on.key, body()) as caller,
    ):
        sent = b""
        for one, gate in zip(EVENTS, gates, strict=True):
            sent += one
            await caller.read(len(sent))
            assert bytes(caller.body) == sent
            gate.set()
        await caller.read()
    assert caller.ending == "whole"


async def test_a_chunk_that_holds_half_an_event_is_at_the_client_at_once(tmp_path: Path) -> None:
    gate = asyncio.Event()
    half = BEFORE + len(COMPLETED) // 2
    pieces = [chunk(STREAM[:half]), chunk(STREAM[half:]) + LAST]
    async with (
        RawServer(stepwise(STREAM_HEAD, pieces, [gate])) as upstream,
        stage_before(tmp_path, upstream) as on,
        calling(on.port, on.key, body()) as caller,
    ):
        await caller.read(half)
        assert bytes(caller.body) == STREAM[:half]
        gate.set()
        await caller.read()
    assert bytes(caller.body) == STREAM


def scripts(splits: list[int], gate: asyncio.Event) -> Iterator[Script]:
    for at in splits:
        pieces = [chunk(STREAM[:at]), chunk(STREAM[at:]) + LAST]
        yield stepwise(STREAM_HEAD, pieces, [gate])


@pytest.mark.parametrize("splits", [[*range(1, len(STREAM))]], ids=["every split"])
async def test_nothing_completes_before_its_cost_is_on_disk(
    tmp_path: Path, splits: list[int]
) -> None:
    gate = asyncio.Event()
    prepared = [*scripts(splits, gate)]
    async with (
        RawServer(lambda number: prepared[number]) as upstream,
        stage_before(tmp_path, upstream) as on,
        AsyncExitStack() as stack,
    ):
        callers = await asked_in_turns(on, upstream, stack, [body()] * len(splits))
        await all_read(callers, 1)
        async with ledger_held(on):
            gate.set()
            await all_read(callers, BEFORE)
            await quiet(on)
            await quiet_callers(callers)
            seen = sorted(caller.body_bytes for caller in callers)
            # Of the terminal event only what came in an earlier chunk than its end.
            assert seen == sorted(max(BEFORE, at) for at in splits)
            assert on.entries() == []
        await all_read(callers)
        assert {bytes(caller.body) for caller in callers} == {STREAM}
        assert {caller.ending for caller in callers} == {"whole"}
        assert len(await on.settled(len(splits))) == len(splits)


async def quiet_callers(callers: list[Caller]) -> None:
    """Read what has arrived, and wait for nothing."""
    for caller in callers:
        try:
            async with asyncio.timeout(0):
                await caller.read()
        except TimeoutError:
            pass


async def test_whoever_has_seen_the_end_finds_its_entry(shared_stage: Stage) -> None:
    on = shared_stage
    before = len(on.entries())
    for number in range(8):
        async with calling(on.port, on.key, body(f"{number} [sim: split=31]")) as caller:
            while not (b"response.completed" in caller.body and caller.body.endswith(b"\n\n")):
                await caller.read(caller.body_bytes + 1)
            assert len(on.entries()) == before + number + 1


async def test_what_follows_the_terminal_event_arrives(shared_stage: Stage) -> None:
    after = b": late\n\ndata: [DONE]\n\n"
    whole = STREAM + after
    for pieces in ([], [len(STREAM)], [len(STREAM) - 1, 2], [BEFORE, len(COMPLETED)]):
        name = f"after/{'-'.join(map(str, pieces))}"
        await replayed(shared_stage, whole, name=name, pieces=pieces)


@pytest.mark.parametrize(
    "flaw", ["gzip", "gzip; split=1", "gzip; split=random:7", "crlf", "cr", "bom; comment", "done"]
)
async def test_flawed_streams_are_exact_and_metered(shared_stage: Stage, flaw: str) -> None:
    on = shared_stage
    before = len(on.entries())
    async with calling(on.port, on.key, body(f"Hello [sim: {flaw}]")) as caller:
        await caller.read()
    assert caller.ending == "whole"
    (entry,) = (await on.settled(before + 1))[before:]
    assert_exact(entry, on.simulator.served[-1])


async def test_a_stream_that_cannot_be_read_passes_and_its_entry_says_so(
    shared_stage: Stage,
) -> None:
    on = shared_stage
    data = bytes(range(256)) * 9
    before = len(on.entries())
    headers = [("content-encoding", "br")]
    await replayed(on, data, name="br", pieces=[100, 1], headers=headers)
    (entry,) = (await on.settled(before + 1))[before:]
    told = entry.outcome, entry.basis, entry.problem, entry.cost_pusd
    assert told == ("aborted", "worst_case", "encoding_unknown", entry.hold_pusd)


async def test_a_stream_that_stops_halfway_is_no_whole_one(tmp_path: Path) -> None:
    script = [read_request, send(STREAM_HEAD + chunk(STREAM[: BEFORE + 9]))]
    async with (
        RawServer(script) as upstream,
        stage_before(tmp_path, upstream) as on,
        calling(on.port, on.key, body(store=False)) as caller,
    ):
        await caller.read()
        (entry,) = await on.settled(1)
    assert (bytes(caller.body), caller.ending) == (STREAM[: BEFORE + 9], "cut")
    assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
