"""Going down: SIGTERM lets streams finish, and what cannot finish in time is still posted."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import calling
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, until

LONG = "stall=2000,600"


def asked(directive: str, **fields: Any) -> dict[str, Any]:
    return body(f"Hello [sim: {directive}]", **fields)


async def has_begun(on: ProcessStage) -> None:
    await until(lambda: on.simulator.open_count == 1)


async def test_sigterm_lets_a_stream_finish(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path) as on,
        calling(on.gateway.port, on.key, asked("stall=2000,1")) as caller,
    ):
        await caller.read(2000)
        on.gateway.signal(signal.SIGTERM)
        await caller.read()
        assert caller.ending == "whole"
        assert await on.gateway.exit_code() == 0
        assert_all_exact(await on.settled(1), on.simulator.served)


async def test_sigterm_lets_a_whole_answer_finish_that_has_no_head_yet(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path) as on,
        calling(on.gateway.port, on.key, asked("delay=1000", stream=False)) as caller,
    ):
        await has_begun(on)
        on.gateway.signal(signal.SIGTERM)
        await caller.read()
        assert (caller.status, caller.ending) == (200, "whole")
        assert await on.gateway.exit_code() == 0
        assert_all_exact(await on.settled(1), on.simulator.served)


async def test_sigterm_waits_for_a_drain(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path) as on,
        calling(on.gateway.port, on.key, asked("stall=2000,1")) as caller,
    ):
        await caller.read(2000)
        caller.leave("rst")
        on.gateway.signal(signal.SIGTERM)
        assert await on.gateway.exit_code() == 0
        (entry,) = await on.settled(1)
        assert_all_exact([entry], on.simulator.served)
        assert entry.client_gone


async def test_a_stream_beyond_the_limit_is_cut_and_posted(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path, GATEWAY_SHUTDOWN_SECONDS_MAX="1") as on,
        calling(on.gateway.port, on.key, asked(LONG, store=False)) as caller,
    ):
        await caller.read(2000)
        on.gateway.signal(signal.SIGTERM)
        await caller.read()
        assert caller.ending in {"cut", "reset"}
        assert await on.gateway.exit_code() == 0
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
        assert entry.reason == "gateway_stopped"
        assert "Traceback" not in on.log()
        assert entry.cost_pusd == entry.hold_pusd > 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_is_no_crash(tmp_path: Path, second: signal.Signals) -> None:
    async with (
        process_stage(tmp_path, GATEWAY_SHUTDOWN_SECONDS_MAX="1") as on,
        calling(on.gateway.port, on.key, asked(LONG, store=False)) as caller,
    ):
        await caller.read(2000)
        on.gateway.signal(signal.SIGTERM)
        await until(lambda: not is_listening(on))
        on.gateway.signal(second)
        await on.gateway.exit_code()
        await on.start()
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")


def is_listening(on: ProcessStage) -> bool:
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
    return any(f":{on.gateway.port:04X} 00000000:0000 0A" in line for line in listening)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_gateway_ends_at_once_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with process_stage(tmp_path) as on:
        reader, writer = await asyncio.open_connection("127.0.0.1", on.gateway.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await reader.readuntil(b'"ok"}')  # so it has been accepted
        on.gateway.signal(number)
        assert await reader.read() == b""  # an unused connection is closed
        writer.close()
        assert await on.gateway.exit_code() == (0 if number == signal.SIGTERM else 130)
        assert not list(tmp_path.glob("owner-*.lock"))
        assert "Traceback" not in on.log()


async def test_what_a_kill_leaves_is_posted_at_the_next_start(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path) as on,
        calling(on.gateway.port, on.key, asked(LONG, store=False)) as streaming,
        calling(on.gateway.port, on.key, asked("delay=600000")) as waiting,
    ):
        await streaming.read(2000)
        await until(lambda: on.simulator.open_count == 2)
        await until(lambda: on.holds() == 2)
        on.gateway.signal(signal.SIGKILL)
        await streaming.read()
        await waiting.read()
        assert {streaming.ending, waiting.ending} <= {"cut", "reset"}
        await on.start()
        entries = await on.settled(2)
        told = {(e.outcome, e.basis, e.reason) for e in entries}
        assert told == {("aborted", "worst_case", "gateway_lost")}
        assert all(entry.cost_pusd == entry.hold_pusd > 0 for entry in entries)
        served = {one.response_id for one in on.simulator.served}
        assert {entry.response_id for entry in entries} <= {*served, None}
