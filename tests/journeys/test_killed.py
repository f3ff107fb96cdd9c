"""SIGKILL under load, again and again: every response that was served has exactly one entry.

Gateways are killed, and PostgreSQL under them. The simulator outlives each kill, so its count of
what was served is the truth; it keeps what it served, and tells it to who asks. Each request has a
name of its own in its input, and each client remembers what it saw.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.reports import EntryRow
from tests.fakes.postgres import Server, address
from tests.journeys.bill import assert_exact, cost_pusd
from tests.journeys.caller import Caller
from tests.journeys.process import IMPATIENT, ProcessStage, process_stage
from tests.journeys.stage import body, until

CLIENTS = 16
KILLS_MAX = 10  # in a run of every day
SERVED_PER_RUN = 40
# What has no name yet when a kill comes cannot be asked for, and of a whole answer only its end
# tells the name: as many a kill, so their share falls with what is served between two.
SERVED_PER_LONG_RUN = 600
EXACT_PERCENT_MIN = 99
REFUSED_SECONDS = 0.05
LOAD_SECONDS_MAX = 120
EXACT = {"reported", "retrieved"}
SHAPES: list[Callable[[str], dict[str, Any]]] = [
    lambda name: body(f"{name} [sim: output=20]"),
    lambda name: body(f"{name} [sim: slow=10; output=40]"),
    lambda name: body(f"{name} [sim: split=random:{name}]"),
    lambda name: body(f"{name} [sim: output=20]", stream=False),
    lambda name: body(f"{name} [sim: delay=20]", stream=False),
]


Kill = Callable[["Load"], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Load:
    """Clients that ask one thing after the other until the gateway dies under them."""

    on: ProcessStage
    database: Server | None = None
    names: Any = field(default_factory=count)
    seen: set[str] = field(default_factory=set)  # ids of responses whose end a client saw
    kills: int = 0
    served_per_run: int = SERVED_PER_RUN

    async def run(self, kill: Kill) -> None:
        """Ask from all clients until the gateway is killed, which happens amid the load."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(self._ask_on(random.Random(number)))
            await kill(self)

    async def served_more(self) -> None:
        enough = len(self.on.simulator.served) + self.served_per_run
        await until(lambda: len(self.on.simulator.served) >= enough, seconds_max=LOAD_SECONDS_MAX)

    def kill_gateway(self) -> None:
        self.on.gateway.signal(signal.SIGKILL)
        self.kills += 1

    def kill_database(self) -> None:
        assert self.database is not None
        self.database.kill()
        self.kills += 1

    async def restore_database(self) -> None:
        assert self.database is not None
        await asyncio.to_thread(self.database.start)

    async def _ask_on(self, dice: random.Random) -> None:
        with suppress(ConnectionError):
            while True:
                caller = await Caller.connect(self.on.gateway.port)
                try:
                    caller.ask(self.on.key, dice.choice(SHAPES)(f"r{next(self.names)}"))
                    await caller.read()
                finally:
                    caller.writer.transport.abort()
                if caller.ending != "whole" and not await self._is_alive():
                    return
                if caller.head.startswith(b"HTTP/1.1 200 "):
                    self._remember(caller)
                else:
                    await asyncio.sleep(REFUSED_SECONDS)  # no database: it is asked again soon

    async def _is_alive(self) -> bool:
        """Whether the gateway that cut an answer off still runs."""
        await asyncio.sleep(REFUSED_SECONDS)
        return self.on.gateway.process.is_alive()

    def _remember(self, caller: Caller) -> None:
        if caller.ending == "whole" and b"content-length" in caller.head:
            self.seen.add(caller.json["id"])
        elif caller.body.endswith(b"\n\n") and b"event: response.completed" in caller.body:
            terminal = bytes(caller.body[caller.body.rindex(b"event: response.completed") :])
            self.seen.add(terminal.partition(b'"id":"')[2].partition(b'"')[0].decode())


async def gateway_alone(load: Load) -> None:
    await load.served_more()
    load.kill_gateway()


async def database_first(load: Load) -> None:
    """The gateway lives through the one kill, and serves again, before it meets its own."""
    await load.served_more()
    load.kill_database()
    await load.restore_database()
    await load.served_more()
    load.kill_gateway()


async def both_at_once(load: Load) -> None:
    await load.served_more()
    load.kill_database()
    load.kill_gateway()
    await load.restore_database()


def check(load: Load) -> float:
    """Hold the ledger against the simulator's count and the clients' memory; how much is exact."""
    on, seen = load.on, load.seen
    entries, served = on.entries(), {one.response_id: one for one in on.simulator.served}
    known = Counter(entry.response_id for entry in entries if entry.response_id is not None)
    abandoned = [entry for entry in entries if entry.basis == "none"]
    nameless = [entry for entry in entries if entry.response_id is None and entry not in abandoned]
    by_id = {entry.response_id: entry for entry in entries if entry.response_id is not None}
    bases = Counter(entry.basis for entry in entries)
    exact_percent = 100 * sum(bases[basis] for basis in EXACT) / (len(entries) - len(abandoned))
    print(
        f"{load.kills} kills: {len(served)} served, {len(seen)} seen to their end by a client, "
        f"{len(entries)} entries: {dict(bases)}, {len(nameless)} without a response id, "
        f"{exact_percent:.2f} % exact"
    )
    assert set(known.values()) == {1}, "a response was posted twice"
    assert known.keys() <= served.keys(), "a response was posted that nobody served"
    assert seen <= known.keys(), "a client saw an end that the ledger does not know"
    for response_id in seen:
        assert_exact(
            by_id[response_id], served[response_id]
        )  # reported: on disk before it was seen
    unknown = [cost_pusd(one) for name, one in served.items() if name not in known]
    for entry in entries:
        if entry.basis in EXACT:
            assert_exact(entry, served[str(entry.response_id)], entry.basis)
        elif entry.basis == "none":
            assert_abandoned(entry)
        else:
            assert_flagged(entry, max(unknown, default=0))
    # A hold may have been made for a request that was never sent, but not the other way round.
    assert len(nameless) >= len(unknown), "a served response has no entry"
    assert len(nameless) <= len(unknown) + CLIENTS * (load.kills + 1)
    return exact_percent


def assert_abandoned(entry: EntryRow) -> None:
    """Refused because no hold could be made in time, and therefore never sent."""
    told = entry.outcome, entry.reason, entry.response_id, entry.cost_pusd
    assert told == ("failed", "hold_abandoned", None, 0)


def assert_flagged(entry: EntryRow, at_least_pusd: int) -> None:
    """It had no name to ask for, and says so: it owes its hold, which is no less than its cost."""
    told = entry.outcome, entry.basis, entry.reason, entry.response_id
    assert told == ("aborted", "worst_case", "gateway_lost", None)
    assert entry.cost_pusd == entry.hold_pusd > 0
    assert entry.hold_pusd >= at_least_pusd


async def kill_and_check(
    folder: Path, kills: Sequence[Kill], database: Server | None = None
) -> None:
    url = "" if database is None else address(database.url, "postgres")
    async with process_stage(
        folder, database_url=url, GATEWAY_LOG_LEVEL="warning", **IMPATIENT
    ) as on:
        is_long = len(kills) > KILLS_MAX
        served_per_run = SERVED_PER_LONG_RUN if is_long else SERVED_PER_RUN
        load = Load(on=on, database=database, served_per_run=served_per_run)
        for kill in kills:
            await load.run(kill)
            assert await on.gateway.exit_code() == -signal.SIGKILL
            await on.start()
            await until(lambda: on.simulator.open_count == 0)
            await until(lambda: on.holds() == 0)
        exact_percent = check(load)
        assert not is_long or exact_percent >= EXACT_PERCENT_MIN
        assert len(on.simulator.served) >= load.kills // 2 * served_per_run
        assert load.seen, "no client saw an end: the load is none"


@pytest.fixture
def postgres() -> Iterator[Server]:
    """A server of this test's own, which it may kill."""
    server = Server()
    yield server
    server.remove()


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.long)])
async def test_a_gateway_killed_under_load(tmp_path: Path, kills: int) -> None:
    await kill_and_check(tmp_path, [gateway_alone] * kills)


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_a_gateway_and_its_database_killed_under_load(
    tmp_path: Path, postgres: Server, rounds: int
) -> None:
    await kill_and_check(tmp_path, [gateway_alone, database_first, both_at_once] * rounds, postgres)
