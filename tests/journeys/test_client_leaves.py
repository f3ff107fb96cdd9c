"""Clients that hang up: the upstream bills all the same, so each of them gets its exact entry.

The upstream stalls where the client leaves; when it goes on, nobody is there to read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.reports import EntryRow
from tests.fakes.rawserver import RawServer, hang, read_request, send
from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, Leaving, calling, whole_answer
from tests.journeys.stage import Stage, body, stage, until

STALL_SECONDS = 2
POINTS = 50
SEEN = "seen to leave"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WAYS: tuple[Leaving, ...] = ("fin", "rst")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a client leaves: when so many bytes of the body were sent, or before its head."""

    body_bytes: int | None
    is_stream: bool
    how: Leaving
    is_last: bool = False  # nothing but what waits for the settlement is still to be sent

    @property
    def is_seen(self) -> bool:
        """Whether it can be known: a plain close is a half-close until something is written."""
        return self.how == "rst" or not self.is_last

    @property
    def asked(self) -> dict[str, Any]:
        name = SEEN if self.is_seen else "Hello"
        at = self.body_bytes
        stall = f"delay={STALL_SECONDS}000" if at is None else f"stall={at},{STALL_SECONDS}"
        return told(stall, name, is_stream=self.is_stream)


def told(directive: str, name: str = "Hello", *, is_stream: bool = True) -> dict[str, Any]:
    """A request whose answer is not stored: what is not read of it is not learned later."""
    return body(
        f"{name} [sim: {directive}]",
        stream=is_stream,
        store=False,
        stream_options={"include_obfuscation": False},  # its lengths would be random
    )


async def points(on: Stage) -> list[Point]:
    """Before the head, through the whole body, and inside the terminal event to its last byte."""
    streamed = (await whole_answer(on.port, on.key, told(""))).body
    whole = (await whole_answer(on.port, on.key, told("", is_stream=False))).body
    terminal = streamed.rindex(b"event: response.completed")
    last = len(streamed) - 1
    stream_bytes = [
        *range(0, terminal, terminal // 20),
        *range(terminal, last, (last - terminal) // 8),
        last,
    ]
    whole_bytes = range(0, len(whole) - 1, len(whole) // 17)
    places: list[tuple[int | None, bool, bool]] = [
        (None, is_stream, not is_stream) for is_stream in (True, True, False, False)
    ]
    places += [(at, True, at >= terminal) for at in stream_bytes]
    places += [(at, False, True) for at in whole_bytes]
    return [
        Point(body_bytes=at, is_stream=is_stream, is_last=is_last, how=how)
        for (at, is_stream, is_last), how in zip(places, cycle(WAYS), strict=False)
    ]


async def leave(on: Stage, point: Point) -> None:
    async with calling(on.port, on.key, point.asked) as caller:
        if point.body_bytes is None or not point.is_stream:  # a small body comes all at once
            await until(lambda: on.simulator.open_count > 0)
        else:
            await caller.read(point.body_bytes)
            assert caller.body_bytes == point.body_bytes
        assert not caller.has_ended
        caller.leave(point.how)


async def test_wherever_a_client_leaves_its_entry_is_exact(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        leaving = await points(on)
        stayed = len(on.simulator.served)
        assert len(leaving) >= POINTS
        async with asyncio.TaskGroup() as tasks:
            for point in leaving:
                tasks.create_task(leave(on, point))
        entries = await on.settled(stayed + len(leaving))
        assert_all_exact(entries, on.simulator.served)
        seen = {
            served.response_id
            for served in on.simulator.served
            if SEEN.encode() in on.simulator.requests[served.request_index].body
        }
        assert len(seen) == sum(point.is_seen for point in leaving)
        assert seen <= {entry.response_id for entry in entries if entry.client_gone}
        assert on.simulator.open_count == 0


async def test_a_plain_close_is_seen_by_what_precedes_the_end(tmp_path: Path) -> None:
    """All that is left comes in one piece, and its first part finds nobody there."""
    async with (
        stage(tmp_path) as on,
        calling(on.port, on.key, told("stall=2000,1; split=join")) as caller,
    ):
        await caller.read(2000)
        caller.leave("fin")
        (entry,) = await on.settled(1)
        assert_all_exact([entry], on.simulator.served)
        assert entry.client_gone


@asynccontextmanager
async def callers(on: Stage, count: int, directive: str) -> AsyncIterator[list[Caller]]:
    """So many clients, each with the head of its answer."""
    async with AsyncExitStack() as all_calling:
        found = [
            await all_calling.enter_async_context(calling(on.port, on.key, told(directive)))
            for _ in range(count)
        ]
        for caller in found:
            await caller.read(1)
        yield found


async def test_no_more_answers_are_drained_than_allowed(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, drain={"drains_max": 2}) as on,
        callers(on, 5, f"stall=2000,{STALL_SECONDS}") as leaving,
    ):
        for caller in leaving:
            caller.leave("rst")
        given_up = await on.settled(3)
        told_of = {(e.outcome, e.basis, e.reason, e.client_gone) for e in given_up}
        assert told_of == {("aborted", "worst_case", "drains_max", True)}
        assert all(entry.cost_pusd == entry.hold_pusd > 0 for entry in given_up)
        await on.settled(5)
        await until(lambda: on.simulator.open_count == 0)
        assert sum(one.is_complete for one in on.simulator.served) == 2  # the others were closed
        drained = [entry for entry in on.entries() if entry.basis == "reported"]
        ids = {entry.response_id for entry in drained}
        assert_all_exact(drained, [one for one in on.simulator.served if one.response_id in ids])
        assert [entry.client_gone for entry in drained] == [True, True]


def assert_given_up(entry: EntryRow) -> None:
    assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
    assert (entry.reason, entry.client_gone) == ("drain_seconds_max", True)
    assert entry.cost_pusd == entry.hold_pusd > 0


@pytest.mark.parametrize("how", WAYS)
async def test_an_answer_that_trickles_is_not_drained_longer_than_allowed(
    tmp_path: Path, how: Leaving
) -> None:
    async with (
        stage(tmp_path, drain={"seconds_max": 0.2}) as on,
        calling(on.port, on.key, told("slow=20; output=100000")) as caller,
    ):
        await caller.read(1)
        caller.leave(how)
        (entry,) = await on.settled(1)
        assert_given_up(entry)
        await until(lambda: on.simulator.open_count == 0)
        assert not on.simulator.served[0].is_complete


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    "said",
    [b"", HEAD, HEAD + b"8\r\ndata: {}\r\n"],
    ids=["before_the_head", "before_the_body", "in_the_body"],
)
async def test_an_upstream_that_is_silent_is_not_drained_longer_than_allowed(
    tmp_path: Path, said: bytes, *, is_stream: bool
) -> None:
    async with (
        RawServer([read_request, send(said), hang]) as upstream,
        stage(tmp_path, upstream={"base_url": upstream.url}, drain={"seconds_max": 0.2}) as on,
        calling(on.port, on.key, told("", is_stream=is_stream)) as caller,
    ):
        await upstream.until(lambda server: len(server.requests) == 1)
        caller.leave("rst")
        (entry,) = await on.settled(1)
        assert_given_up(entry)
        await until(lambda: not upstream._tasks)  # its connection was closed
