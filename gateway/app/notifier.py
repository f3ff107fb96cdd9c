"""Telling of alerts: what is due goes to the webhook, at least once, whoever wrote it.

Not here: when one is due again (`adapters.alerts`), or how it is written and signed.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine

from gateway.adapters.alerts import TAKEN_MAX, Alerts
from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import transport_for
from gateway.adapters.webhook import Webhook
from gateway.config.secret import CurrentSecret
from gateway.config.sections import Alerts as Chosen
from gateway.core.alert import WRITERS, Alert

log = logging.getLogger(__name__)
_Found = TypeVar("_Found")


class Notifier:
    """One in each process; where no webhook is named it does nothing."""

    def __init__(
        self, *, alerts: Alerts, webhook: Webhook | None, metrics: Metrics, pause_seconds: float
    ) -> None:
        self._alerts = alerts
        self._webhook = webhook
        self._metrics = metrics
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Tell what is due, and again after each pause, until cancelled."""
        if self._webhook is None:
            return
        while True:
            try:
                while due := await _in_thread(self._alerts.take):
                    await self._tell(self._webhook, due)
            except Exception:
                log.exception("alerts could not be told; tried again later")
            await asyncio.sleep(self._pause_seconds)

    async def aclose(self) -> None:
        if self._webhook is not None:
            await self._webhook.aclose()

    async def _tell(self, webhook: Webhook, alerts: list[Alert]) -> None:
        refusals = await asyncio.gather(*(webhook.tell(alert) for alert in alerts))
        arrived = []
        for alert, refusal in zip(alerts, refusals, strict=True):
            self._metrics.alerted("delivered" if refusal is None else "failed")
            if refusal is None:
                arrived.append(alert)
            else:
                log.warning("alert %s did not arrive: %s; sent again later", alert.id, refusal)
        if arrived:
            await _in_thread(partial(self._alerts.told, arrived))


async def _in_thread(work: Callable[[], _Found]) -> _Found:
    """To its end, also when it is cancelled: the database is closed after us."""
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def notifier_for(
    chosen: Chosen, *, engine: Engine, now_us: Callable[[], int], metrics: Metrics
) -> Notifier:
    """As the settings say. Raises SecretUnreadable or WebhookUnusable."""
    alerts = Alerts(
        engine=engine,
        now_us=now_us,
        telling_seconds_max=chosen.seconds_max,
        pause_seconds_max=chosen.pause_seconds_max,
    )
    return Notifier(
        alerts=alerts,
        webhook=webhook_for(chosen),
        metrics=metrics,
        pause_seconds=chosen.poll_seconds,
    )


def webhook_for(chosen: Chosen) -> Webhook | None:
    """The same of the receiver alone; None where none is named."""
    url = CurrentSecret(chosen.webhook_url, chosen.webhook_url_file)
    if not url():
        return None
    return Webhook(
        url=url,
        secret=CurrentSecret(chosen.webhook_secret, chosen.webhook_secret_file),
        body=WRITERS[chosen.format],
        transport=transport_for(kind="fast", connections_max=TAKEN_MAX),
        seconds_max=chosen.seconds_max,
    )
