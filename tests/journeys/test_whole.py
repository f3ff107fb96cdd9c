"""Whole bodies: exact, metered, and their last chunk waits until the cost is on disk."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.app.costed import BODY_BYTES_MAX
from gateway.core.money import to_usd
from tests.fakes.rawserver import RawServer, Script, read_request, send
from tests.journeys.bill import assert_exact
from tests.journeys.caller import calling, whole_answer
from tests.journeys.held import (
    CHUNKED,
    JSON_HEAD,
    LAST,
    asked_in_turns,
    chunk,
    ledger_held,
    quiet,
    stage_before,
    stepwise,
)
from tests.journeys.stage import Stage, body
from tests.journeys.test_streamed import USAGE, all_read, quiet_callers, response

ANSWER = json.dumps(response("completed", usage=USAGE), indent=1).encode()
LARGE = b" " * BODY_BYTES_MAX + ANSWER  # too large to wait for its cost as a whole
LENGTH = b"content-length: %d\r\n\r\n" % len(ANSWER)

Cut = Callable[[int, asyncio.Event], Script]


def counted(at: int, gate: asyncio.Event) -> Script:
    return stepwise(JSON_HEAD + LENGTH, [ANSWER[:at], ANSWER[at:]], [gate])


def chunked(at: int, gate: asyncio.Event) -> Script:
    pieces = [chunk(ANSWER[:at]), chunk(ANSWER[at:]) + LAST]
    return stepwise(JSON_HEAD + CHUNKED, pieces, [gate])


@pytest.mark.parametrize("cut", [counted, chunked])
async def test_the_last_chunk_waits_for_the_ledger(tmp_path: Path, cut: Cut) -> None:
    gate = asyncio.Event()
    splits = range(1, len(ANSWER))
    prepared = [cut(at, gate) for at in splits]
    async with (
        RawServer(lambda number: prepared[number]) as upstream,
        stage_before(tmp_path, upstream) as on,
        AsyncExitStack() as stack,
    ):
        asked = [body(stream=False)] * len(splits)
        callers = await asked_in_turns(on, upstream, stack, asked)
        async with ledger_held(on):
            gate.set()
            await quiet(on)
            await quiet_callers(callers)
            assert {caller.head for caller in callers} == {b""}  # it tells the cost
            assert on.entries() == []
        await all_read(callers)
        assert {bytes(caller.body) for caller in callers} == {ANSWER}
        assert {caller.ending for caller in callers} == {"whole"}
        entries = await on.settled(len(splits))
    told = {(entry.outcome, entry.basis, entry.output_tokens) for entry in entries}
    assert told == {("completed", "reported", 5)}


@pytest.mark.parametrize("at", [1, 9, len(LARGE) - 1])
async def test_only_the_last_chunk_of_a_large_body_waits(tmp_path: Path, at: int) -> None:
    gate = asyncio.Event()
    length = b"content-length: %d\r\n\r\n" % len(LARGE)
    async with (
        RawServer(stepwise(JSON_HEAD + length, [LARGE[:at], LARGE[at:]], [gate])) as upstream,
        stage_before(tmp_path, upstream) as on,
        calling(on.port, on.key, body(stream=False)) as caller,
    ):
        await caller.read(at)
        async with ledger_held(on):
            gate.set()
            await quiet(on)
            await quiet_callers([caller])
            assert at <= caller.body_bytes < len(LARGE)
            assert on.entries() == []
        await caller.read()
        (entry,) = await on.settled(1)
    assert (bytes(caller.body), entry.outcome) == (LARGE, "completed")
    assert b"x-gateway-cost-usd" not in caller.head


async def test_earlier_chunks_of_a_large_body_are_at_the_client_at_once(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    pieces = [chunk(LARGE[:-20]), chunk(LARGE[-20:-9]), chunk(LARGE[-9:]) + LAST]
    async with (
        RawServer(stepwise(JSON_HEAD + CHUNKED, pieces, gates)) as upstream,
        stage_before(tmp_path, upstream) as on,
        calling(on.port, on.key, body(stream=False)) as caller,
    ):
        gates[0].set()
        await caller.read(len(LARGE) - 20)
        gates[1].set()
        await caller.read()
    assert bytes(caller.body) == LARGE


@pytest.mark.parametrize(
    "how", ["", "chunked", "close_delimited", "gzip", "early_hints", "kind=incomplete", "split=1"]
)
async def test_whole_bodies_are_exact_and_metered(shared_stage: Stage, how: str) -> None:
    on = shared_stage
    before = len(on.entries())
    told = await whole_answer(on.port, on.key, body(f"Hello [sim: {how}]", stream=False))
    assert (told.status, told.ending) == (200, "whole")
    (entry,) = (await on.settled(before + 1))[before:]
    assert_exact(entry, on.simulator.served[-1])
    assert entry.cost_pusd is not None
    assert f"\r\nx-gateway-cost-usd: {to_usd(entry.cost_pusd)}\r\n".encode() in told.head


async def test_a_body_that_is_shorter_than_it_said_is_no_whole_one(tmp_path: Path) -> None:
    script = [read_request, send(JSON_HEAD + LENGTH + ANSWER[:-1])]
    async with RawServer(script) as upstream, stage_before(tmp_path, upstream) as on:
        told = await whole_answer(on.port, on.key, body(stream=False))
        (entry,) = await on.settled(1)
    assert (bytes(told.body), told.ending) == (ANSWER[:-1], "cut")
    assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
    assert entry.reason == "upstream_incomplete"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body(tmp_path: Path, status: bytes) -> None:
    script = [read_request, send(b"HTTP/1.1 %b\r\nx-request-id: req_1\r\n\r\n" % status)]
    async with RawServer(script) as upstream, stage_before(tmp_path, upstream) as on:
        answer = await on.post(body(stream=False))
        (entry,) = await on.settled(1)
    assert (answer.status_code, answer.content) == (int(status[:3]), b"")
    assert (entry.http_status, entry.upstream_request_id) == (int(status[:3]), "req_1")
