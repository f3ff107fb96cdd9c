"""The database goes away amid the traffic: streams end well, and their entries come when it does.

It goes in two ways: it does not answer (its gate is in other hands), or it cannot write (its disk
has no room left for it). The gateway is a process of its own, and may be killed in between.
"""

import asyncio
import fcntl
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, calling, whole_answer
from tests.journeys.process import IMPATIENT, ProcessStage, process_stage
from tests.journeys.stage import body, until

STREAMS = 20
SPAN = "[sim: stall=2000,1.5; output=60]"


@contextmanager
def silent(on: ProcessStage) -> Iterator[None]:
    """Another writer has the gate and does not let go."""
    gate = os.open(on.folder / "gateway.db.lock", os.O_RDWR)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


@contextmanager
def full(on: ProcessStage) -> Iterator[None]:
    """The gateway's files cannot grow beyond what the database's log has now."""
    pid = on.gateway.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    size_bytes = (on.folder / "gateway.db-wal").stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        if on.gateway.process.is_alive():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


AWAY = pytest.mark.parametrize("away", [silent, full])
Away = Callable[[ProcessStage], AbstractContextManager[None]]


@asynccontextmanager
async def streaming(on: ProcessStage) -> AsyncIterator[list[Caller]]:
    """Streams of which each client has seen the beginning."""
    async with AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(calling(on.gateway.port, on.key, body(SPAN)))
            for _ in range(STREAMS)
        ]
        await all_of(caller.read(1500) for caller in callers)
        yield callers


async def all_of(doing: Iterator[Awaitable[None]]) -> None:
    await asyncio.gather(*doing)


async def ended_well(callers: list[Caller]) -> None:
    """Each has its terminal event, and a clean end."""
    await all_of(caller.read() for caller in callers)
    assert {caller.ending for caller in callers} == {"whole"}
    for caller in callers:
        assert caller.body.count(b"event: response.completed") == 1


async def refused_seconds(on: ProcessStage) -> float:
    """Ask once, be refused for want of the ledger; how long that took."""
    begun = time.perf_counter()
    answer = await whole_answer(on.gateway.port, on.key, body())
    assert (answer.status, answer.ending) == (503, "whole")
    assert answer.json["error"]["code"] == "ledger_unavailable"
    return time.perf_counter() - begun


async def metric(on: ProcessStage, name: str) -> float:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://127.0.0.1:{on.gateway.port}/metrics")).text
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def journal(on: ProcessStage) -> Path:
    (path,) = on.folder.glob("journal-*.log")
    return path


def answered(on: ProcessStage) -> int:
    """Entries of what was sent: a hold that came too late is voided, and says so."""
    return sum(entry.reason != "hold_abandoned" for entry in on.entries())


async def assert_caught_up(on: ProcessStage) -> None:
    """Each response has its one exact entry, and nothing is owed."""
    await until(lambda: answered(on) >= len(on.simulator.served) and on.holds() == 0)
    told = [entry for entry in on.entries() if entry.reason != "hold_abandoned"]
    assert_all_exact(told, on.simulator.served)


@AWAY
async def test_streams_end_well_and_each_entry_comes_once(tmp_path: Path, away: Away) -> None:
    async with process_stage(tmp_path, **IMPATIENT) as on, streaming(on) as callers:
        with away(on):
            waits = [await refused_seconds(on) for _ in range(5)]
            await ended_well(callers)
            assert on.entries() == []
            assert await metric(on, "gateway_journal_bytes") > 0
            print("refused after (ms):", [round(1000 * wait) for wait in waits])
        await assert_caught_up(on)
        await until(lambda: journal(on).stat().st_size == 0)
        assert await metric(on, "gateway_journal_bytes") == 0
        answer = await whole_answer(on.gateway.port, on.key, body())
        assert answer.status == 200
        await assert_caught_up(on)


@AWAY
async def test_a_shutdown_meanwhile_is_an_orderly_one(tmp_path: Path, away: Away) -> None:
    async with process_stage(tmp_path, **IMPATIENT) as on, streaming(on) as callers:
        with away(on):
            on.gateway.signal(signal.SIGTERM)
            await ended_well(callers)
            assert await on.gateway.exit_code() == 0
            assert journal(on).stat().st_size > 0
        await on.start()
        await assert_caught_up(on)
        assert "Traceback" not in on.log() or away is full


@AWAY
async def test_a_kill_meanwhile_loses_nothing_that_a_client_saw_end(
    tmp_path: Path, away: Away
) -> None:
    async with process_stage(tmp_path, **IMPATIENT) as on, streaming(on) as callers:
        with away(on):
            await ended_well(callers)
            on.gateway.signal(signal.SIGKILL)
            await on.gateway.exit_code()
        await on.start()
        await assert_caught_up(on)


async def test_requests_may_go_on_where_the_operator_says_so(tmp_path: Path) -> None:
    async with process_stage(tmp_path, GATEWAY_LEDGER_OUTAGE="journal", **IMPATIENT) as on:
        await whole_answer(on.gateway.port, on.key, body())  # its key is known from now on
        with silent(on):
            answers = await asyncio.gather(
                *(whole_answer(on.gateway.port, on.key, body()) for _ in range(STREAMS))
            )
            assert {(answer.status, answer.ending) for answer in answers} == {(200, "whole")}
            assert len(on.entries()) == 1
        await assert_caught_up(on)
        assert len(on.entries()) == STREAMS + 1


async def test_what_was_let_go_and_then_killed_is_owed(tmp_path: Path) -> None:
    async with process_stage(tmp_path, GATEWAY_LEDGER_OUTAGE="journal", **IMPATIENT) as on:
        await whole_answer(on.gateway.port, on.key, body())
        with silent(on):
            asked = body("[sim: stall=2000,600]", store=False)
            async with calling(on.gateway.port, on.key, asked) as caller:
                await caller.read(1500)
                on.gateway.signal(signal.SIGKILL)
                await on.gateway.exit_code()
        await on.start()
        _, lost = await on.settled(2)
        assert (lost.outcome, lost.basis, lost.reason) == ("aborted", "worst_case", "gateway_lost")
        assert lost.cost_pusd == lost.hold_pusd > 0
