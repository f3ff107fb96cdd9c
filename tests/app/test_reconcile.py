"""Who is asked for, how many at once, and what is posted then; time is a number here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.adapters.metrics import Metrics
from gateway.app.reconcile import Reconciler
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import BACKGROUND_TAG, SOONEST, Basis, Exchange, Outcome
from gateway.core.observation import Observation
from gateway.core.reconciliation import Patience, Told
from tests.builders import exchange, hold, usage
from tests.fakes.told import BOOK

BEHIND = {BACKGROUND_TAG: SOONEST}
COMPLETED = Told(
    status=200,
    observation=Observation(
        terminal="response.completed", status="completed", usage=usage(), model="gpt-test"
    ),
)
FAILED = Told(status=200, observation=Observation(terminal="response.failed", status="failed"))
RUNNING = Told(status=200, observation=Observation(status="in_progress"))
NOT_FOUND = Told(status=404, observation=Observation())


def broken(response_id: str | None = "resp_1", **fields: Any) -> Exchange:
    held = hold(**fields)
    return exchange(
        hold=held,
        outcome=Outcome.ABORTED,
        basis=Basis.WORST_CASE,
        cost_pusd=held.hold_pusd,
        lines=(),
        usage=None,
        response_id=response_id,
        recoverable=response_id is not None,
    )


class Scene:
    """A reconciler between an upstream that answers by a script, the last again, and a ledger."""

    def __init__(self, *answers: Told | None, asks_max: int = 2) -> None:
        self.asked: list[str] = []
        self.pauses: list[float] = []
        self.posted: list[Exchange] = []
        self.told: list[Exchange] = []
        self.failures: list[Exception] = []
        self.is_first = True
        self.gate = asyncio.Event()
        self.gate.set()
        self._answers = list(answers)
        self._now = 100.0
        self.metrics = Metrics(version="0", totals=dict)
        self.reconciler = Reconciler(
            ledger=self,  # type: ignore[arg-type]  # the two methods that it needs
            upstream=self,
            book=lambda: BOOK,
            patience=Patience(seconds_max=30, missing_seconds_max=5, background_seconds_max=100),
            asks_max=asks_max,
            metrics=self.metrics,
            sinks=(self.told.append,),
            clock=lambda: self._now,
            sleep=self._sleep,
            spread=lambda: 1,
        )

    async def ask(self, response_id: str) -> Told | None:
        self.asked.append(response_id)
        await self.gate.wait()
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._now += seconds

    def now_us(self) -> int:
        return 7

    async def settle(self, settled: Exchange) -> bool:
        if self.failures:
            raise self.failures.pop()
        self.posted.append(settled)
        return self.is_first

    def counted(self, resolution: str) -> float:
        return self.value(f'gateway_holds_expired_total{{resolution="{resolution}"}} ')

    @property
    def background(self) -> float:
        return self.value('gateway_active_requests{kind="background"} ')

    def value(self, name: str) -> float:
        line = next(one for one in self.metrics.render().decode().splitlines() if name in one)
        return float(line.split()[-1])


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[None]:
    task = asyncio.ensure_future(scene.reconciler.run())
    yield
    await turns()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def turns() -> None:
    """Let all that can go on go on: nothing here waits for real time."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_what_broke_off_here_is_asked_for_until_it_is_known() -> None:
    scene = Scene(None, RUNNING, COMPLETED)
    async with running(scene):
        assert scene.reconciler.take(lost := broken())
    (entry,) = scene.posted
    assert (entry.hold, entry.basis, entry.settled_at_us) == (lost.hold, "retrieved", 7)
    assert (scene.asked, scene.pauses) == (["resp_1"] * 3, [2, 2])
    assert scene.told == [entry]
    assert scene.counted("retrieved") == 1


@pytest.mark.parametrize(
    ("answer", "resolution", "pauses", "is_recoverable"),
    [
        (NOT_FOUND, "worst_case", [2, 2, 2], False),
        (RUNNING, "worst_case", [2] * 10 + [2, 2.2, 2.42, 2.662, 2.9282], True),
        (FAILED, "void", [], False),
    ],
)
async def test_how_it_ends(
    answer: Told, resolution: str, pauses: list[float], *, is_recoverable: bool
) -> None:
    scene = Scene(answer)
    async with running(scene):
        scene.reconciler.take(broken())
    (entry,) = scene.posted
    assert (entry.recoverable, scene.counted(resolution)) == (is_recoverable, 1)
    assert scene.pauses == pytest.approx(pauses)


async def test_what_cannot_be_asked_for_is_not_taken_on() -> None:
    scene = Scene(COMPLETED)
    never = Scene(COMPLETED, asks_max=0)
    async with running(scene), running(never):
        assert not scene.reconciler.take(broken(None))
        assert not never.reconciler.take(broken())
    assert scene.asked + never.asked == []


async def test_of_what_the_dead_left_the_nameless_are_posted_at_once() -> None:
    scene = Scene(COMPLETED)
    scene.gate.clear()
    named, nameless = broken(), broken(None)
    async with running(scene):
        await scene.reconciler.inherit([named, nameless])
        assert [one.hold for one in scene.posted] == [nameless.hold]
        assert scene.counted("worst_case") == 1
        scene.gate.set()
    assert [one.basis for one in scene.posted] == ["worst_case", "retrieved"]
    assert scene.told == []  # its requests were another process', and so are its counts


async def test_few_are_asked_for_at_once() -> None:
    scene = Scene(COMPLETED, asks_max=2)
    scene.gate.clear()
    async with running(scene):
        for number in range(5):
            scene.reconciler.take(broken(f"resp_{number}"))
        await turns()
        assert scene.asked == ["resp_0", "resp_1"]
        scene.gate.set()
    assert len(scene.posted) == len(scene.asked) == 5


@pytest.mark.parametrize("failure", [LedgerUnavailable(), RuntimeError("a bug")])
async def test_one_that_fails_keeps_its_hold_and_stops_no_other(
    failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(COMPLETED)
    scene.failures.append(failure)
    async with running(scene):
        scene.reconciler.take(first := broken())
        await turns()
        scene.reconciler.take(second := broken())
    assert [one.hold for one in scene.posted] == [second.hold]
    assert [one.hold for one in scene.told] == [second.hold]
    assert first.hold.request_id in caplog.text


async def test_what_is_open_at_the_end_stays_held() -> None:
    scene = Scene(RUNNING)
    scene.gate.clear()
    async with running(scene):
        scene.reconciler.take(broken())
    assert scene.posted == []


async def test_the_background_has_only_begun_and_is_no_hold_that_expired() -> None:
    scene = Scene(RUNNING, COMPLETED)
    async with running(scene):
        assert scene.reconciler.take(behind := broken(tags=BEHIND))
        await turns()
        assert scene.pauses[0] == 2
    (entry,) = scene.posted
    assert (entry.basis, entry.duration_seconds) == ("retrieved", 0)  # by the clock of this ledger
    assert (scene.pauses, scene.told, scene.background) == ([2, 2], [entry], 0)
    assert "resolution" not in scene.metrics.render().decode() or scene.counted("retrieved") == 0
    assert scene.reconciler.followed(behind.hold.request_id) is None


async def test_what_is_inherited_of_the_background_was_counted_by_nobody() -> None:
    scene = Scene(COMPLETED)
    scene.gate.clear()
    async with running(scene):
        await scene.reconciler.inherit([behind := broken(tags=BEHIND)])
        await turns()
        assert (scene.background, scene.pauses) == (1, [])
        assert scene.reconciler.followed(behind.hold.request_id) == behind
        scene.gate.set()
    assert scene.told == scene.posted != []


async def test_what_another_posted_is_not_told_again() -> None:
    scene = Scene(COMPLETED)
    scene.is_first = False
    async with running(scene):
        scene.reconciler.take(broken())
    assert (len(scene.posted), scene.told) == (1, [])


async def test_what_another_saw_is_asked_for_no_more() -> None:
    scene = Scene(RUNNING)
    scene.gate.clear()
    async with running(scene):
        scene.reconciler.take(seen := broken(tags=BEHIND))
        scene.reconciler.take(other := broken("resp_2"))
        await turns()
        scene.reconciler.drop(seen.hold.request_id)
        scene.reconciler.drop("unheard of")
        await turns()
        assert scene.reconciler.followed(seen.hold.request_id) is None
        assert scene.reconciler.followed(other.hold.request_id) == other
        assert scene.background == 0
    assert scene.posted == []
