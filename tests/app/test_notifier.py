"""Alerts are told until they arrive, whatever fails meanwhile; nothing here is sent anywhere."""

import asyncio
import threading
from typing import Any

import pytest

from gateway.adapters.metrics import Metrics
from gateway.app.notifier import Notifier, webhook_for
from gateway.config.sections import Alerts as Chosen
from gateway.config.values import Secret
from gateway.core.alert import Alert
from tests.builders import alert


class Scene:
    """A notifier between rows that are due again at once and a receiver that says what it is told.

    What it says of an alert comes from a script; None where that ends: it is taken.
    """

    def __init__(self, *due: Alert, says: list[Any] | None = None) -> None:
        self.due = list(due)
        self.says = says or []
        self.tried: list[int] = []
        self.failures: list[Exception] = []
        self.is_done = asyncio.Event()
        self.is_asked, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.metrics = Metrics(version="0")
        self.notifier = Notifier(
            alerts=self,  # type: ignore[arg-type]  # the two methods that it needs
            webhook=self,  # type: ignore[arg-type]  # likewise
            metrics=self.metrics,
            pause_seconds=0,
        )

    def take(self) -> list[Alert]:
        self.is_asked.set()
        self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        return list(self.due)

    def told(self, alerts: list[Alert]) -> None:
        for one in alerts:
            self.due.remove(one)
        if not self.due:
            self.is_done.set()

    async def tell(self, alert: Alert) -> str | None:
        self.tried.append(alert.threshold_pct)
        said = self.says.pop(0) if self.says else None
        if isinstance(said, Exception):
            raise said
        return said

    def counted(self, result: str) -> float:
        name = f'gateway_alerts_total{{result="{result}"}} '
        line = next(one for one in self.metrics.render().decode().splitlines() if name in one)
        return float(line.split()[-1])

    async def play(self) -> None:
        task = asyncio.ensure_future(self.notifier.run())
        async with asyncio.timeout(20):
            await self.is_done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_arrives_is_told_once() -> None:
    scene = Scene(alert(threshold_pct=50), alert(threshold_pct=80))
    await scene.play()
    assert scene.tried == [50, 80]
    assert (scene.counted("delivered"), scene.counted("failed")) == (2, 0)


async def test_what_does_not_arrive_is_told_again_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = alert(threshold_pct=50), alert(threshold_pct=80)
    scene = Scene(first, second, says=["status 500"])
    await scene.play()
    assert scene.tried == [50, 80, 50]
    assert (scene.counted("delivered"), scene.counted("failed")) == (2, 1)
    assert f"alert {first.id} did not arrive: status 500" in caplog.text
    assert second.id not in caplog.text


async def test_a_database_that_is_away_and_a_bug_end_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(alert(), says=[RuntimeError("a bug")])
    scene.failures.append(OSError("away"))
    await scene.play()
    assert "away" in caplog.text
    assert "a bug" in caplog.text
    assert scene.counted("delivered") == 1


async def test_it_ends_when_the_database_is_left_alone() -> None:
    scene = Scene(alert())
    scene.gate.clear()
    task = asyncio.ensure_future(scene.notifier.run())
    assert await asyncio.to_thread(scene.is_asked.wait, 20)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    scene.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.tried == []


async def test_without_a_webhook_nothing_runs() -> None:
    scene = Scene(alert())
    nobody = Notifier(
        alerts=scene,  # type: ignore[arg-type]  # it is not asked
        webhook=webhook_for(Chosen()),
        metrics=scene.metrics,
        pause_seconds=0,
    )
    await nobody.run()
    await nobody.aclose()
    assert scene.tried == []


def test_a_webhook_is_as_the_settings_say() -> None:
    secret = Secret("whsec_" + "Y2Fu" * 10)
    found = webhook_for(Chosen(webhook_url=Secret("https://hooks.example"), webhook_secret=secret))
    assert found is not None
    assert (found.host, found.is_signed) == ("hooks.example", True)
