"""What becomes of exchanges whose end was not seen: the upstream is asked, until it is known.

Three kinds come here, each as it is owed if nothing more is learned: holds of dead owners, and
exchanges of this process that broke off or go on in the background. Their hold rows stay meanwhile,
so that whoever outlives this process asks on. Not here: any decision; those are
`core.reconciliation`'s.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.app.readers import Sink, tell
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Basis, Exchange
from gateway.core.price_book import PriceBook
from gateway.core.reconciliation import Patience, Told, concluded, pause_seconds, resolved

log = logging.getLogger(__name__)


class Asks(Protocol):
    """Where a response is asked for; None: no answer."""

    async def ask(self, response_id: str) -> Told | None: ...


@dataclass(frozen=True, slots=True)
class _Case:
    exchange: Exchange
    is_ours: bool  # its request was served by this process


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
        spread: Callable[[], float] = lambda: random.uniform(0.8, 1),  # noqa: S311 - guards nothing
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
        self._spread = spread
        self._taken: asyncio.Queue[_Case] = asyncio.Queue()
        self._followed: dict[str, tuple[Exchange, asyncio.Task[None]]] = {}  # by request id

    async def run(self) -> None:
        """Ask for what was taken on, until cancelled; what is open then keeps its hold."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                case = await self._taken.get()
                task = tasks.create_task(self._follow(case))
                self._followed[case.exchange.hold.request_id] = case.exchange, task

    def take(self, exchange: Exchange) -> bool:
        """Take on an exchange of this process, instead of posting it; False where none can ask."""
        return self._is_taken(exchange, is_ours=True)

    async def inherit(self, lost: Iterable[Exchange]) -> None:
        """Take on what dead owners left; what cannot be asked for is posted before it returns."""
        known = [one for one in lost if not self._is_taken(one, is_ours=False)]
        await asyncio.gather(*(self._settle(one, is_ours=False) for one in known))

    def followed(self, request_id: str) -> Exchange | None:
        """What is asked for, as it is owed so far; None where it is not by this process."""
        found = self._followed.get(request_id)
        return None if found is None else found[0]

    def drop(self, request_id: str) -> None:
        """Ask no more: another has seen how it ended, and posted it."""
        if found := self._followed.get(request_id):
            found[1].cancel()

    def _is_taken(self, exchange: Exchange, *, is_ours: bool) -> bool:
        is_taken = exchange.recoverable and self._can_ask
        if is_taken:
            self._taken.put_nowait(_Case(exchange, is_ours))
        return is_taken

    async def _follow(self, case: _Case) -> None:
        exchange = case.exchange
        kind = 1 if exchange.hold.is_background else 0
        self._metrics.active("background", kind)
        try:
            if exchange.hold.is_background and case.is_ours:  # it has only just begun
                await self._pause(0)
            await self._settle(await self._asked(exchange), is_ours=case.is_ours)
        except Exception:  # of one: the others are still to be asked for
            log.exception("the hold of %s stays", exchange.hold.request_id)
        finally:
            self._metrics.active("background", -kind)
            self._followed.pop(exchange.hold.request_id, None)

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
            await self._pause(age_seconds)

    async def _pause(self, age_seconds: float) -> None:
        """Until it is asked for again: what began together is not asked for together."""
        await self._sleep(pause_seconds(age_seconds) * self._spread())

    async def _settle(self, exchange: Exchange, *, is_ours: bool) -> None:
        exchange = concluded(exchange, self._ledger.now_us())
        try:
            is_first = await self._ledger.settle(exchange)
        except LedgerUnavailable:
            log.exception("the entry of %s could not be written", exchange.hold.request_id)
            return
        if not is_first:  # who posted it has told of it
            return
        is_awaited = exchange.hold.is_background  # nothing broke off, and no process has counted it
        if not is_awaited or exchange.basis is Basis.WORST_CASE:
            is_void = exchange.basis is Basis.NONE
            self._metrics.hold_expired("void" if is_void else exchange.basis.value)
        if is_ours or is_awaited:
            tell(self._sinks, exchange)
