"""SIGTERM with 50 open streams: each finishes, or is cut where all can see it; none is lost."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.adapters.reports import EntryRow
from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, calling
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, until

STREAMS = 50
BEGUN_BYTES = 2000
SHORT = f"stall={BEGUN_BYTES},4"
LONG = f"stall={BEGUN_BYTES},600"


async def begun(on: ProcessStage, stack: AsyncExitStack, directives: list[str]) -> list[Caller]:
    """Callers amid their streams, all of them open."""
    asked = [body(f"Hello [sim: {each}]", store=False) for each in directives]
    callers = [
        await stack.enter_async_context(calling(on.gateway.port, on.key, each)) for each in asked
    ]
    await asyncio.gather(*(caller.read(BEGUN_BYTES) for caller in callers))
    await until(lambda: on.simulator.open_count == len(callers))
    return callers


async def ended(callers: list[Caller]) -> set[str]:
    await asyncio.gather(*(caller.read() for caller in callers))
    return {caller.ending for caller in callers}


async def test_sigterm_lets_fifty_streams_finish(tmp_path: Path) -> None:
    async with process_stage(tmp_path) as on, AsyncExitStack() as stack:
        callers = await begun(on, stack, [SHORT] * STREAMS)
        on.gateway.signal(signal.SIGTERM)
        assert await ended(callers) == {"whole"}
        assert await on.gateway.exit_code() == 0
        assert_all_exact(await on.settled(STREAMS), on.simulator.served)
        assert "Traceback" not in on.log()


async def test_of_fifty_streams_those_beyond_the_limit_are_posted_as_well(tmp_path: Path) -> None:
    half = STREAMS // 2
    async with (
        process_stage(tmp_path, GATEWAY_SHUTDOWN_SECONDS_MAX="7") as on,
        AsyncExitStack() as stack,
    ):
        callers = await begun(on, stack, [SHORT] * half + [LONG] * half)
        on.gateway.signal(signal.SIGTERM)
        assert await ended(callers[:half]) == {"whole"}
        assert await ended(callers[half:]) <= {"cut", "reset"}
        assert await on.gateway.exit_code() == 0
        entries = await on.settled(STREAMS)
        assert_half_exact(on, entries, half)
        assert "Traceback" not in on.log()


def assert_half_exact(on: ProcessStage, entries: list[EntryRow], half: int) -> None:
    """The finished are exact, the others owe their holds and say why: each response once."""
    exact = [entry for entry in entries if entry.basis == "reported"]
    finished = {entry.response_id for entry in exact}
    assert len(exact) == half
    assert_all_exact(exact, [one for one in on.simulator.served if one.response_id in finished])
    for entry in entries:
        if entry not in exact:
            told = entry.outcome, entry.basis, entry.reason
            assert told == ("aborted", "worst_case", "gateway_stopped")
            assert entry.cost_pusd == entry.hold_pusd > 0
    served = sorted(one.response_id for one in on.simulator.served)
    assert sorted(str(entry.response_id) for entry in entries) == served
