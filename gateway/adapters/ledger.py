"""Holds and entries as the event loop sees them: awaitable, durable when they return.

Not here: threads (`writer`), statements (`posting`), rows (`rows`).
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Engine

from gateway.adapters.changes import News
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.judge import Bench
from gateway.adapters.lease import Lease
from gateway.adapters.posting import Held, Opened, Settled
from gateway.adapters.rows import entry_row, hold_row, rollup_row, storable_text
from gateway.adapters.writer import BatchReport, Job, Writer
from gateway.core.errors import GatewayError, LedgerUnavailable, Overloaded
from gateway.core.exchange import Basis, Exchange, Hold, Outcome

log = logging.getLogger(__name__)

HOLD_SECONDS_MAX = 0.25
ABANDONED = "hold_abandoned"


class Ledger:
    """Holds and settles; knows whether the database answers. One for a process and its loop."""

    def __init__(  # noqa: PLR0913 - its limits are settings, each with a default
        self,
        *,
        engine: Engine,
        owner_id: str,
        now_us: Callable[[], int],
        queue_max: int = 10_000,
        batch_max: int = 64,
        lease_seconds: float = 30.0,
        on_batch: Callable[[BatchReport], None] | None = None,  # called in the writer's thread
        on_news: Callable[[News], None] | None = None,  # called in the event loop
    ) -> None:
        self.owner_id = owner_id
        # The database's time, as far as it is known: what admissions and leases go by.
        self.now_us = DatabaseClock(now_us)
        self._on_news = on_news
        self._queue_max = queue_max
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._lease = Lease(owner_id=owner_id, now_us=self.now_us, lease_seconds=lease_seconds)
        self._writer = Writer(
            engine=engine,
            lease=self._lease,
            bench=Bench(clock=self.now_us),
            batch_max=batch_max,
            resolve=self._resolve,
            on_batch=on_batch,
        )

    @property
    def queue_depth(self) -> int:
        """Postings that wait for a transaction."""
        return self._writer.queued

    @property
    def is_healthy(self) -> bool:
        """Whether the last transaction reached the database."""
        return self._writer.is_healthy and not self._is_closed

    @property
    def steady_since_us(self) -> int | None:
        """Since when this owner's lease is renewed without a gap."""
        return self._lease.steady_since_us

    def start(self) -> None:
        """Begin to write, in the running event loop's service."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def aclose(self) -> None:
        """Write what is queued, then end. Nothing is taken any more from now on."""
        self._is_closed = True
        await asyncio.to_thread(self._writer.close)

    async def hold(self, hold: Hold) -> None:
        """Return when the hold is durable; raise Overloaded or LedgerUnavailable when it is not.

        Raises Unauthorized when its key was revoked, or its tenant suspended, in the meantime.
        """
        if self._writer.queued >= self._queue_max:
            raise Overloaded
        loop, waiter = self._await()
        self._writer.put(
            Job(posting=Held(row=hold_row(hold, owner_id=self.owner_id)), waiter=waiter, hold=hold)
        )
        # Not at once: a loop that is itself late runs its timers before it hears of what is done.
        limit = loop.call_later(HOLD_SECONDS_MAX, loop.call_soon, _give_up, waiter)
        try:
            await waiter
        finally:
            limit.cancel()

    def opened(self, request_id: str, response_id: str) -> None:
        """Note the upstream's name for the response; it rides with the next batch."""
        if not self._is_closed:
            opened = Opened(request_id=request_id, response_id=storable_text(response_id))
            self._writer.put(Job(posting=opened))

    async def settle(self, exchange: Exchange) -> None:
        """Return when the entry is durable. Settling twice is settling once.

        A caller that is cancelled does not take the settlement with it. Raises LedgerUnavailable
        when the entry cannot be written, or the ledger closes while the database is away.
        """
        _, waiter = self._await()
        self._writer.put(Job(posting=_settled(exchange), waiter=waiter))
        await waiter

    def _await(self) -> tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]:
        if self._loop is None or self._is_closed:
            raise LedgerUnavailable
        return self._loop, self._loop.create_future()

    def _resolve(self, jobs: list[Job], news: list[News]) -> None:
        """In the writer's thread: wake all waiters of a batch with one call."""
        if self._loop is None or not (jobs or news):
            return
        try:
            self._loop.call_soon_threadsafe(self._resolved, jobs, news)
        except RuntimeError:
            # The loop is gone, and the waiters with it; what is durable stays so.
            log.warning("the event loop closed before its ledger")

    def _resolved(self, jobs: list[Job], news: list[News]) -> None:
        if self._on_news is not None:
            for one in news:
                self._on_news(one)
        for job in jobs:
            waiter = job.waiter
            if waiter is None:
                continue
            if waiter.done():
                self._abandoned(job)
            elif job.error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(_shown(job.error))

    def _abandoned(self, job: Job) -> None:
        """Its waiter left: a hold that was written all the same is undone."""
        if job.hold is not None and job.is_begun and job.error is None:
            self._writer.put(Job(posting=_settled(self._void(job.hold))))

    def _void(self, hold: Hold) -> Exchange:
        return Exchange(
            hold=hold,
            settled_at_us=self.now_us(),
            outcome=Outcome.FAILED,
            basis=Basis.NONE,
            cost_pusd=0,
            reason=ABANDONED,
        )


def _settled(exchange: Exchange) -> Settled:
    cell, counts = rollup_row(exchange)
    return Settled(row=entry_row(exchange), cell=cell, counts=counts)


def _shown(error: Exception) -> GatewayError:
    if isinstance(error, GatewayError):
        return error
    unavailable = LedgerUnavailable()
    unavailable.__cause__ = error
    return unavailable


def _give_up(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(LedgerUnavailable())
