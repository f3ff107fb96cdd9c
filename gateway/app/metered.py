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
        began = time.monotonic()
        try:
            is_first = await self.ledger.settle(exchange)
        except asyncio.CancelledError:
            await self.ledger.settle(exchange)  # posting twice is posting once
            tell(self.sinks, exchange)
            raise
        self.metrics.overhead("settle", time.monotonic() - began)
        if is_first:  # else who saw its end before us has told them
            tell(self.sinks, exchange)


class Metered:
    """One hold on its way; `started` is a moment of the monotonic clock."""

    def __init__(self, meter: Meter, hold: Hold, started: float) -> None:
        self.request_id = hold.request_id
        self.is_stream = hold.is_stream
        self.is_unnamed = False
        self.is_settled = False
        self.cost_pusd: int | None = None  # as posted; None: not yet, or unknown
        self._is_opened = False
        self._name: str | None = None  # of the response, once it passed, until it is noted
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
        life = self._life
        ready = life.chunk(data, time.monotonic())
        # What is due tells its name with its settlement, unless somebody waits for the name.
        if not (self._is_opened or life.is_due) or life.hold.is_background:
            self._note_name()
        return ready

    async def name(self) -> None:
        """In the background the name is all that is left: who has it may leave and come back."""
        if self._name is not None:
            await self._meter.ledger.named(self.request_id, self._name)
        self._name, self.is_unnamed = None, False

    async def settle(self) -> bytes:
        """What broke off may be settled later by who asks the upstream: its hold stays then."""
        life, meter = self._life, self._meter
        exchange = life.settle(settled_at_us=meter.ledger.now_us(), now=time.monotonic())
        if exchange.recoverable and meter.take_on(exchange):
            self._note_name()
            await self.name()
        else:
            await meter.post(exchange)
            self.cost_pusd = exchange.cost_pusd
        self.is_settled = True
        return life.release()

    def _note_name(self) -> None:
        """Whoever finds the hold without us must know what to ask for."""
        name = self._life.opened()
        if name is None:
            return
        self._is_opened = True
        if self._life.hold.is_background:
            self._name, self.is_unnamed = name, True
        else:
            self._meter.ledger.opened(self.request_id, name)
