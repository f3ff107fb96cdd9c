"""The course of a request that costs: its life is told, its cost settled, its readers hear of it.

Not here: any decision; those are `core.life`'s. Nor the bytes' way (`relay`).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.app.readers import Sink, tell
from gateway.core import headers as wire
from gateway.core.exchange import Exchange, Hold
from gateway.core.life import Life

Begin = Callable[[Hold, float], Life]  # the life of a hold, from a moment of the monotonic clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What all courses of requests that cost have in common."""

    ledger: Ledger
    begin: Begin
    metrics: Metrics
    sinks: tuple[Sink, ...]
    take_on: Callable[[Exchange], bool]  # who else settles what broke off, if they will

    async def post(self, exchange: Exchange) -> None:
        """Post an exchange, and tell its readers. Raises LedgerUnavailable."""
        try:
            await self._post(exchange)
        except asyncio.CancelledError:
            await self._post(exchange)  # posting twice is posting once, and the metrics hear of it
            raise

    async def _post(self, exchange: Exchange) -> None:
        began = time.monotonic()
        await self.ledger.settle(exchange)
        self.metrics.overhead("settle", time.monotonic() - began)
        tell(self.sinks, exchange)


class Metered:
    """One hold on its way; `started` is a moment of the monotonic clock."""

    def __init__(self, meter: Meter, hold: Hold, started: float) -> None:
        self.request_id = hold.request_id
        self.is_stream = hold.is_stream
        self._meter = meter
        self._life = life = meter.begin(hold, started)
        self.sent = life.sent
        self.turned_away = life.turned_away
        self.ended = life.ended
        self.client_left = life.client_left

    @property
    def is_due(self) -> bool:
        return self._life.is_due

    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers:
        self._life.answered(status=status, headers=headers, now=time.monotonic())
        return headers

    def chunk(self, data: bytes) -> bytes:
        ready = self._life.chunk(data, time.monotonic())
        self._note_id()
        return ready

    async def settle(self) -> bytes:
        """What broke off may be settled later by who asks the upstream: its hold stays then."""
        life, meter = self._life, self._meter
        exchange = life.settle(settled_at_us=meter.ledger.now_us(), now=time.monotonic())
        if exchange.recoverable and meter.take_on(exchange):
            self._note_id()
        else:
            await meter.post(exchange)
        return life.release()

    def _note_id(self) -> None:
        """Whoever finds the hold without us must know what to ask for."""
        if (response_id := self._life.opened()) is not None:
            self._meter.ledger.opened(self.request_id, response_id)
