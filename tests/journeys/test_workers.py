"""Several processes on one port are one gateway: to clients, to the ledger and to Prometheus."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets
from gateway.adapters.database import write_transaction
from gateway.adapters.metric_families import BUDGETS, COSTS, COUNTERS, HISTOGRAMS
from gateway.adapters.reports import EntryRow
from gateway.core.money import PUSD_PER_USD
from tests.fakes import postgres
from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, calling, whole_answer
from tests.journeys.process import EXIT_SECONDS_MAX, ProcessStage, process_stage
from tests.journeys.stage import TENANT, body, now_us, until

STREAMS = 16
STALLED = "Hello [sim: stall=2000,600]"
SLOW = "Hello [sim: stall=2000,5]"
TRAFFIC = (
    body("Hello [sim: output=31]"),
    body("Hello", stream=False),
    body("[sim: usage=in:1200,cached:1024,write:0,out:300,reasoning:100]"),
    body("[sim: kind=incomplete]"),
    body("[sim: kind=failed]", model="gpt-4.1"),
    body("[sim: cut=400]"),
    body("[sim: status=500]"),
    body("[sim: usage=null]", stream=False),
    body("Hello", model="gpt-of-nobody"),
    body("Hello", max_output_tokens=1),
)
# How often the ledger commits depends on what meets in a batch, and on who renews its lease.
UNEQUAL = "gateway_ledger_batch_seconds"

BUDGET = frozenset({("tenant", TENANT), ("budget", "total")})

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@asynccontextmanager
async def workers(folder: Path, count: int) -> AsyncIterator[ProcessStage]:
    folder.mkdir(exist_ok=True)
    async with process_stage(folder, GATEWAY_WORKERS=str(count)) as on:
        yield on


def pids(on: ProcessStage) -> dict[str, int]:
    """The processes that say they live, by owner."""
    with on.engine.connect() as connection:
        rows = connection.execute(select(schema.owner.c.id, schema.owner.c.pid)).all()
    return {row.id: row.pid for row in rows}


def has_successor(on: ProcessStage, killed: int) -> bool:
    found = pids(on).values()
    return len(found) == 2 and killed not in found


def holders(on: ProcessStage) -> Counter[str]:
    """How many requests each owner has under way."""
    with on.engine.connect() as connection:
        return Counter(connection.scalars(select(schema.hold.c.owner)))


async def posted(on: ProcessStage, count: int) -> list[EntryRow]:
    """The entries, once there are so many, whatever is still held."""
    await until(lambda: len(on.entries()) >= count)
    assert len(on.entries()) == count
    return on.entries()


async def streaming(on: ProcessStage, stack: AsyncExitStack, text: str) -> list[Caller]:
    """So many callers, each in the middle of its stream."""
    callers = []
    for _ in range(STREAMS):
        caller = await stack.enter_async_context(calling(on.gateway.port, on.key, body(text)))
        await caller.read(2000)
        assert caller.status == 200, caller.body
        callers.append(caller)
    return callers


async def scraped(on: ProcessStage) -> Samples:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{on.gateway.port}/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def counted(samples: Samples) -> Samples:
    """What does not depend on how long things took: counters, and the counts of histograms."""
    counts = {f"{name}_count" for name in HISTOGRAMS if name != UNEQUAL}
    return {key: value for key, value in samples.items() if key[0] in counts or key[0] in COUNTERS}


def read(samples: Samples) -> Samples:
    """What is read from the database."""
    return {key: value for key, value in samples.items() if key[0] in {*COSTS, *BUDGETS}}


def total(samples: Samples, name: str) -> float:
    return sum(value for (sample, _), value in samples.items() if sample == name)


def set_budget(on: ProcessStage, limit_pusd: int) -> None:
    budgets = Budgets(engine=on.engine, now_us=now_us)
    budgets.set_budget(TENANT, period="total", given={"limit_pusd": limit_pusd})


async def told_after_traffic(on: ProcessStage) -> Samples:
    """The metrics once all requests of the traffic are counted, whoever answers."""
    set_budget(on, 25 * PUSD_PER_USD)
    for asked in TRAFFIC:
        await whole_answer(on.gateway.port, on.key, asked)
    await whole_answer(on.gateway.port, "gw_nobody", body())
    async with asyncio.timeout(20):
        while True:
            samples = await scraped(on)
            is_over = total(samples, "gateway_active_requests") == 0
            if is_over and total(samples, "gateway_http_requests_total") == len(TRAFFIC) + 1:
                return samples


async def test_two_tell_of_equal_traffic_what_one_tells(tmp_path: Path) -> None:
    async with workers(tmp_path / "one", 1) as on:
        alone = await told_after_traffic(on)
    async with workers(tmp_path / "two", 2) as on:
        together = await told_after_traffic(on)
        assert len(pids(on)) == 2
        assert together.keys() == alone.keys()
        assert counted(together) == pytest.approx(counted(alone))
        assert read(together) == pytest.approx(read(alone))
        assert read(alone)["gateway_budget_spent_usd", BUDGET] > 0
        for pid in pids(on).values():
            os.kill(pid, signal.SIGKILL)
            await until(partial(has_successor, on, pid))
            assert counted(await scraped(on)) == pytest.approx(counted(together))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database; without a name it is a file in the stage's folder."""
    if request.param == "sqlite":
        yield ""
        return
    with postgres.database(is_empty=True) as url:
        yield url


async def test_both_serve_and_what_the_one_held_is_settled_when_it_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    async with (
        process_stage(
            tmp_path,
            database_url=database_url,
            GATEWAY_WORKERS="2",
            GATEWAY_SHUTDOWN_SECONDS_MAX="1",
        ) as on,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as tasks,
    ):
        callers = await streaming(on, stack, STALLED)
        held = holders(on)
        assert len(held) == 2, "one of them served all"
        assert held.total() == STREAMS
        owner, count = held.most_common()[0]
        killed = pids(on)[owner]
        reading = [tasks.create_task(caller.read()) for caller in callers]
        os.kill(killed, signal.SIGKILL)
        entries = await posted(on, count)
        assert {entry.reason for entry in entries} == {"gateway_lost"}
        assert holders(on).total() == STREAMS - count
        assert sum(caller.has_ended for caller in callers) == count
        await until(lambda: has_successor(on, killed))
        answers = [await whole_answer(on.gateway.port, on.key, body()) for _ in range(STREAMS)]
        assert {answer.status for answer in answers} == {200}
        assert on.gateway.process.is_alive()
        for task in reading:
            task.cancel()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_streams_of_all_finish_when_the_gateway_ends_or_is_killed(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with workers(tmp_path, 2) as on, AsyncExitStack() as stack:
        callers = await streaming(on, stack, SLOW)
        assert len(holders(on)) == 2
        on.gateway.signal(number)
        await asyncio.gather(*(caller.read() for caller in callers))
        assert {caller.ending for caller in callers} == {"whole"}
        assert await on.gateway.exit_code() == (0 if number == signal.SIGTERM else -number)
        assert_all_exact(await on.settled(STREAMS), on.simulator.served)
        stdout = on.gateway.stdout  # its end is that of the last worker
        assert await asyncio.to_thread(stdout.poll, EXIT_SECONDS_MAX)
        assert os.read(stdout.fileno(), 1) == b"", "listening was said again"
        assert pids(on) == {}
        with pytest.raises(ConnectionRefusedError):
            await Caller.connect(on.gateway.port)
        assert not list(tmp_path.glob("owner-*.lock"))
        assert "Traceback" not in on.log()


async def test_what_the_one_holds_and_settles_the_other_knows_at_once(
    tmp_path: Path, database_url: str
) -> None:
    async with process_stage(tmp_path, database_url=database_url, GATEWAY_WORKERS="2") as on:
        set_budget(on, 5 * 10**11)
        asked = body(max_output_tokens=100_000)
        stalled = {**asked, "input": "Hello [sim: stall=2000,6]"}
        async with calling(on.gateway.port, on.key, stalled) as caller:
            await caller.read(2000)
            await until(lambda: is_all_written(on))
            (owner,) = holders(on)
            with stopped(on, owner):  # so the other one answers
                refused = await whole_answer(on.gateway.port, on.key, asked)
                assert (refused.status, refused.json["error"]["code"]) == (429, "budget_held")
            await caller.read()
            assert caller.ending == "whole"
            with stopped(on, owner):
                served = await whole_answer(on.gateway.port, on.key, asked)
                assert served.status == 200
        assert_all_exact(await on.settled(2), on.simulator.served)


def is_all_written(on: ProcessStage) -> bool:
    """Each hold knows its response: its owner has nothing more to write for now."""
    with on.engine.connect() as connection:
        return None not in connection.scalars(select(schema.hold.c.response_id)).all()


@contextmanager
def stopped(on: ProcessStage, owner: str) -> Iterator[None]:
    """A process that does nothing inside, and stands in nobody's way."""
    pid = pids(on)[owner]
    with write_transaction(on.engine):  # it has none itself meanwhile
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
