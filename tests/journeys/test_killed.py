"""SIGKILL under load, again and again: every response that was served has exactly one entry.

The simulator outlives each kill, so its count of what was served is the truth. Each request has a
name of its own in its input, and each client remembers what it saw.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.reports import EntryRow
from tests.journeys.bill import assert_exact
from tests.journeys.caller import Caller
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, until

CLIENTS = 16
SERVED_PER_RUN = 40
SHAPES: list[Callable[[str], dict[str, Any]]] = [
    lambda name: body(f"{name} [sim: output=20]"),
    lambda name: body(f"{name} [sim: slow=3; output=30]"),
    lambda name: body(f"{name} [sim: split=random:{name}]"),
    lambda name: body(f"{name} [sim: output=20]", stream=False),
    lambda name: body(f"{name} [sim: delay=20]", stream=False),
]


@dataclass(slots=True, kw_only=True)
class Load:
    """Clients that ask one thing after the other until the gateway dies under them."""

    on: ProcessStage
    names: Any = field(default_factory=count)
    seen: set[str] = field(default_factory=set)  # ids of responses whose end a client saw

    async def run(self) -> None:
        """Ask from all clients until the gateway is killed, which happens amid the load."""
        served = len(self.on.simulator.served)
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(self._ask_on(random.Random(number)))
            await until(lambda: len(self.on.simulator.served) >= served + SERVED_PER_RUN)
            self.on.gateway.signal(signal.SIGKILL)

    async def _ask_on(self, dice: random.Random) -> None:
        with suppress(ConnectionError):
            while True:
                caller = await Caller.connect(self.on.gateway.port)
                try:
                    caller.ask(self.on.key, dice.choice(SHAPES)(f"r{next(self.names)}"))
                    await caller.read()
                finally:
                    caller.writer.transport.abort()
                self._remember(caller)
                if caller.ending != "whole":
                    return

    def _remember(self, caller: Caller) -> None:
        if caller.ending == "whole" and b"content-length" in caller.head:
            self.seen.add(caller.json["id"])
        elif caller.body.endswith(b"\n\n") and b"event: response.completed" in caller.body:
            terminal = bytes(caller.body[caller.body.rindex(b"event: response.completed") :])
            self.seen.add(terminal.partition(b'"id":"')[2].partition(b'"')[0].decode())


def check(on: ProcessStage, seen: set[str]) -> None:
    """Hold the ledger against the simulator's count and the clients' memory."""
    entries, served = on.entries(), {one.response_id: one for one in on.simulator.served}
    known = Counter(entry.response_id for entry in entries if entry.response_id is not None)
    nameless = [entry for entry in entries if entry.response_id is None]
    by_id = {entry.response_id: entry for entry in entries if entry.response_id is not None}
    bases = Counter(entry.basis for entry in entries)
    print(
        f"{len(served)} served, {len(seen)} seen to their end by a client, {len(entries)} entries: "
        f"{dict(bases)}, {len(nameless)} without a response id"
    )
    assert set(known.values()) == {1}, "a response was booked twice"
    assert known.keys() <= served.keys(), "a response was booked that nobody served"
    assert seen <= known.keys(), "a client saw an end that the ledger does not know"
    for response_id in seen:
        assert_exact(by_id[response_id], served[response_id])
    for entry in entries:
        assert_sound(entry)
        if entry.basis == "reported":
            assert_exact(entry, served[str(entry.response_id)])
    # A hold may have been made for a request that was never sent, but not the other way round.
    assert len(nameless) >= len(served.keys() - known.keys()), "a served response has no entry"
    assert len(nameless) <= len(served.keys() - known.keys()) + CLIENTS * len(on.started)


def assert_sound(entry: EntryRow) -> None:
    if entry.basis == "reported":
        return
    assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
    assert entry.reason == "gateway_lost"
    assert entry.cost_pusd == entry.hold_pusd > 0


async def kill_and_check(folder: Path, kills: int) -> None:
    async with process_stage(folder, GATEWAY_LOG_LEVEL="warning") as on:
        load = Load(on=on)
        for _ in range(kills):
            await load.run()
            assert await on.gateway.exit_code() == -signal.SIGKILL
            await on.start()
            await until(lambda: on.simulator.open_count == 0)
            assert on.holds() == 0, "a start leaves no hold of the dead"
        check(on, load.seen)
        assert len(on.simulator.served) >= kills * SERVED_PER_RUN
        assert load.seen, "no client saw an end: the load is none"


async def test_killed_under_load(tmp_path: Path) -> None:
    await kill_and_check(tmp_path, 5)


@pytest.mark.long
async def test_killed_under_load_often(tmp_path: Path) -> None:
    await kill_and_check(tmp_path, 20)
