"""What becomes of exchanges whose end was not seen: the upstream is asked, until it is known.

Two kinds come here, each as it is owed if nothing more is learned: holds of dead owners, and
exchanges of this process that broke off. Their hold rows stay meanwhile, so that whoever outlives
this process asks on. Not here: any decision; those are `core.reconciliation`'s.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.app.readers import Sink, tell
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Basis, Exchange
from gateway.core.price_book import PriceBook
from gateway.core.reconciliation import Patience, Told, pause_seconds, resolved

log = logging.getLogger(__name__)


class Asks(Protocol):
    """Where a response is asked for; None: no answer."""

    async def ask(self, response_id: str) -> Told | None: ...


@dataclass(frozen=True, slots=True)
class _Case:
    exchange: Exchange
    is_ours: bool  # its request was served by this process, whose readers expect it


class Reconciler:
    """Settles what is taken on, each once; few are asked for at the same time, or none at all."""

    def __init__(  # noqa: PLR0913 - what it brings together, all by name
        self,
        *,
        ledger: Ledger,
        upstream: Asks,
        book: Callable[[], PriceBook],
        patience: Patience,
        asks_max: int,
        metrics: Metrics,
        sinks: tuple[Sink, ...],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._upstream = upstream
        self._book = book
        self._patience = patience
        self._can_ask = asks_max > 0
        self._places = asyncio.Semaphore(asks_max)
        self._metrics = metrics
        self._sinks = sinks
        self._clock = clock
        self._sleep = sleep
        self._taken: asyncio.Queue[_Case] = asyncio.Queue()

    async def run(self) -> None:
        """Ask for what was taken on, until cancelled; what is open then keeps its hold."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._follow(await self._taken.get()))

    def take(self, exchange: Exchange) -> bool:
        """Take on an exchange of this process, instead of posting it; False where none can ask."""
        return self._is_taken(exchange, is_ours=True)

    async def inherit(self, lost: Iterable[Exchange]) -> None:
        """Take on what dead owners left; what cannot be asked for is posted before it returns."""
        known = [one for one in lost if not self._is_taken(one, is_ours=False)]
        await asyncio.gather(*(self._settle(one, is_ours=False) for one in known))

    def _is_taken(self, exchange: Exchange, *, is_ours: bool) -> bool:
        is_taken = exchange.recoverable and self._can_ask
        if is_taken:
            self._taken.put_nowait(_Case(exchange, is_ours))
        return is_taken

    async def _follow(self, case: _Case) -> None:
        try:
            await self._settle(await self._asked(case.exchange), is_ours=case.is_ours)
        except Exception:  # of one: the others are still to be asked for
            log.exception("the hold of %s stays", case.exchange.hold.request_id)

    async def _asked(self, exchange: Exchange) -> Exchange:
        """Ask for the response until it can be posted."""
        assert exchange.response_id is not None
        began = self._clock()
        while True:
            async with self._places:
                told = await self._upstream.ask(exchange.response_id)
            age_seconds = self._clock() - began
            known = resolved(
                exchange, told, age_seconds=age_seconds, patience=self._patience, book=self._book()
            )
            if known is not None:
                return known
            await self._sleep(pause_seconds(age_seconds))

    async def _settle(self, exchange: Exchange, *, is_ours: bool) -> None:
        exchange = replace(exchange, settled_at_us=self._ledger.now_us())
        try:
            await self._ledger.settle(exchange)
        except LedgerUnavailable:
            log.exception("the entry of %s could not be written", exchange.hold.request_id)
            return
        is_void = exchange.basis is Basis.NONE
        self._metrics.hold_expired("void" if is_void else exchange.basis.value)
        if is_ours:
            tell(self._sinks, exchange)
