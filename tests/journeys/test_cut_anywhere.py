"""Streams cut at random bytes, over sockets: no client sees a clean end that was not one.

Ten transcripts, broken off by a close or a reset, in each way of framing a body; and for every one
of them the ledger has one entry, which claims no more than what arrived.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.adapters.reports import EntryRow
from gateway.simulator.server import Simulator
from tests.fakes.goldens import NAMES, Played, read
from tests.journeys.caller import Caller, whole_answer
from tests.journeys.cuts import all_of, header
from tests.journeys.held import patience
from tests.journeys.stage import Stage, body, stage

# A close after a body that only a close ends is no fault; a reset is.
WAYS = ("chunked; cut", "chunked; reset", "counted; cut", "counted; reset", "close; reset")
NEAR = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One answer that breaks off after so many bytes."""

    name: str
    way: str
    offset: int

    @property
    def directive(self) -> str:
        framing, fault = self.way.split("; ")
        recording = f"{self.name}/counted" if framing == "counted" else self.name
        words = f"replay={recording}; {fault}={self.offset}"
        return f"[sim: {words}; close_delimited]" if framing == "close" else f"[sim: {words}]"


def random_cuts(count: int, played: dict[str, Played]) -> list[Cut]:
    """As many of each way, in streams by turns; some of them near the terminal event's end."""
    dice = random.Random(count)
    cuts = []
    for number in range(count):
        name, way = NAMES[number % len(NAMES)], WAYS[number // len(NAMES) % len(WAYS)]
        one = played[name]
        last = len(one.stream) - way.startswith("counted")  # its last byte would be a clean end
        first = one.told_at if dice.random() < NEAR else 0
        cuts.append(Cut(name=name, way=way, offset=dice.randint(first, last)))
    return cuts


def record(simulator: Simulator, played: dict[str, Played]) -> None:
    for name, one in played.items():
        simulator.replay(one.stream, name=name)
        simulator.replay(one.stream, name=f"{name}/counted", is_counted=True)


def check(cut: Cut, played: Played, told: Caller, entry: EntryRow) -> None:
    assert (told.status, told.ending) == (200, "cut"), cut
    assert bytes(told.body) == played.stream[: cut.offset], cut
    if cut.offset < played.complete_at:
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case"), cut
        assert str(entry.reason).startswith("upstream_"), cut
        assert entry.cost_pusd == entry.hold_pusd > 0, cut
    else:
        assert entry.outcome == played.outcome, cut
        assert entry.basis != "worst_case", cut


async def play(on: Stage, count: int) -> None:
    played = {name: read(name) for name in NAMES}
    record(on.simulator, played)
    cuts = random_cuts(count, played)

    async def one(cut: Cut) -> Caller:
        return await whole_answer(on.port, on.key, body(cut.directive))

    answers = await all_of(cuts, one)
    entries = {entry.request_id: entry for entry in await on.settled(count)}
    for cut, told in zip(cuts, answers, strict=True):
        check(cut, played[cut.name], told, entries[header(told, "x-gateway-request-id")])
    ended = sum(cut.offset >= played[cut.name].complete_at for cut in cuts)
    print(f"{count} cuts over sockets, {ended} after the terminal event: no clean end, all posted")
    assert 0 < ended < count


@pytest.mark.parametrize("count", [50, pytest.param(300, marks=pytest.mark.long)])
async def test_no_cut_looks_like_an_end(tmp_path: Path, count: int) -> None:
    async with patience(), stage(tmp_path) as on:
        await play(on, count)
