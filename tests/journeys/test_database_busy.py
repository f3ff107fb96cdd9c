"""A database that does not answer: streams go on, nothing new is taken, and nothing is lost."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.journeys.bill import assert_all_exact, assert_exact
from tests.journeys.caller import calling, whole_answer
from tests.journeys.stage import body, stage, until

HOLDER = """
import fcntl, sys
gate = open(sys.argv[1], "r+")
fcntl.flock(gate, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def held_by_another(gate: Path) -> AsyncIterator[None]:
    """The database's gate in the hands of another process, as a slow command line has it."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(gate),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.stdin.close()
        await holder.wait()


async def test_streams_go_on_and_nothing_new_is_taken_meanwhile(tmp_path: Path) -> None:
    async with (
        stage(tmp_path) as on,
        calling(on.port, on.key, body("[sim: stall=3000,0.5; output=200]")) as caller,
    ):
        await caller.read(2000)
        async with held_by_another(tmp_path / "gateway.db.lock"):
            refused = await whole_answer(on.port, on.key, body())
            assert (refused.status, refused.ending) == (503, "whole")
            assert refused.json["error"]["code"] == "ledger_unavailable"
            await caller.read(20_000)  # far beyond the stall: it is relayed all the same
            assert not caller.has_ended
            await until(lambda: on.simulator.open_count == 0)  # all was sent, but for the end
            assert len(on.simulator.requests) == 1
            assert on.entries() == []
        await caller.read()
        assert caller.ending == "whole"
        entries = await on.settled(2)
        (voided,) = (entry for entry in entries if entry.response_id is None)
        assert (voided.outcome, voided.basis, voided.cost_pusd) == ("failed", "none", 0)
        assert voided.reason == "hold_abandoned"
        (served,) = (entry for entry in entries if entry.response_id is not None)
        assert_exact(served, on.simulator.served[0])


async def test_the_end_waits_for_the_journal_where_the_database_does_not_answer(
    tmp_path: Path,
) -> None:
    async with (
        stage(tmp_path) as on,
        calling(on.port, on.key, body("[sim: stall=terminal,0.5]")) as caller,
    ):
        await caller.read(2000)
        (journal,) = tmp_path.glob("journal-*.log")
        async with held_by_another(tmp_path / "gateway.db.lock"):
            await caller.read()
            assert caller.body.count(b"event: response.completed") == 1
            assert journal.stat().st_size > 0
            assert on.entries() == []
        assert_all_exact(await on.settled(1), on.simulator.served)
