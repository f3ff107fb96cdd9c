"""Holds and entries as the event loop sees them: awaitable, durable when they return.

After one missed limit the database counts as down, until a transaction commits: what settles goes
to the journal, and what would hold is refused, or goes there too (`outage`). Not here: threads
(`writer`, `standby`), statements (`posting`), rows (`rows`).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal

from sqlalchemy import Engine

from gateway.adapters.backlog import Backlog
from gateway.adapters.changes import News
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.deadlines import Deadlines
from gateway.adapters.job import BatchReport, Closed, Job, TooLate
from gateway.adapters.journal import Journal, JournalFailed
from gateway.adapters.judge import Bench
from gateway.adapters.lease import Lease
from gateway.adapters.rows import Row, hold_row, storable_text
from gateway.adapters.standby import Standby
from gateway.adapters.work import Held, Noted, Opened, Posting, settled
from gateway.adapters.writer import Writer
from gateway.core.budget import ANY_TERMS, Terms
from gateway.core.errors import LedgerUnavailable, Overloaded
from gateway.core.exchange import Exchange, Hold, void

log = logging.getLogger(__name__)

HOLD_SECONDS_MAX = 0.22  # so that a refusal is there within a quarter of a second
SETTLE_SECONDS_MAX = 0.25
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
        journal: Journal | None = None,  # ours to close; without it settlements wait
        outage: Literal["refuse", "journal"] = "refuse",  # what becomes of new requests
        wait_seconds_max: float = 2.0,  # of a request, for money that others hold
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.owner_id = owner_id
        self._journal = journal
        self._standby = None if journal is None else Standby(journal=journal, on_failure=on_failure)
        self._outage = outage
        self._wait_seconds_max = wait_seconds_max
        self._owed: set[Job] = set()  # postings that are not durable yet
        self._holding, self._settling = Deadlines(self._late), Deadlines(self._late)
        # The database's time, as far as it is known: what admissions and leases go by.
        self.now_us = DatabaseClock(now_us)
        self._on_news = on_news
        self._queue_max = queue_max
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._bench = Bench(clock=self.now_us)
        self._lease = Lease(owner_id=owner_id, now_us=self.now_us, lease_seconds=lease_seconds)
        self._writer = Writer(
            engine=engine,
            lease=self._lease,
            bench=self._bench,
            backlog=Backlog(journal),
            batch_max=batch_max,
            resolve=self._resolve,
            soon=self._soon,
            on_batch=on_batch,
        )

    @property
    def queue_depth(self) -> int:
        """Postings that wait for a transaction."""
        return self._writer.queued

    @property
    def is_healthy(self) -> bool:
        """Whether the last transaction reached the database, and none is late."""
        return self._writer.is_healthy and not self._writer.is_down and not self._is_closed

    @property
    def journal_bytes(self) -> int:
        """What the journal keeps for the database."""
        return 0 if self._journal is None else self._journal.size_bytes

    @property
    def steady_since_us(self) -> int | None:
        """Since when this owner's lease is renewed without a gap."""
        return self._lease.steady_since_us

    def start(self) -> None:
        """Begin to write, in the running event loop's service."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def aclose(self) -> None:
        """Write what is queued, to the journal where need be, then end. Nothing is taken any more.

        What neither takes raises LedgerUnavailable where it is awaited.
        """
        self._is_closed = True
        await asyncio.to_thread(self._writer.close)
        await asyncio.gather(*map(self._hand_over, tuple(self._owed)))
        if self._standby is not None and self._journal is not None:
            self._standby.close()
            await asyncio.to_thread(self._journal.close)

    async def hold(self, hold: Hold, terms: Terms = ANY_TERMS) -> Hold:
        """Return the hold with its legs when it is durable.

        Raises BudgetExhausted, BudgetHeld, Unbounded or ConcurrencyExceeded when it may not be
        placed, Unauthorized when its key has ended since; Overloaded or LedgerUnavailable.
        """
        if self._writer.queued >= self._queue_max:
            raise Overloaded
        posting = Held(row=hold_row(hold, owner_id=self.owner_id), terms=terms)
        waiter = self._waiter()
        job = Job(posting=posting, waiter=waiter, hold=hold)
        if terms.may_wait:
            job.wait_until = time.monotonic() + self._wait_seconds_max
        if not self._writer.is_down:
            self._writer.put(job)
            self._holding.watch(job, HOLD_SECONDS_MAX - terms.asked_seconds)
            try:
                await waiter
                hold.legs = job.legs
                return hold
            except TooLate:
                pass
            except asyncio.CancelledError:
                if not waiter.cancelled() and waiter.exception() is None:
                    self._void(hold)  # it was placed, and told to who had just left
                raise
        await self._hold_in_outage(job, hold, posting)
        return hold

    def opened(self, request_id: str, response_id: str) -> None:
        """Note the upstream's name for the response; it rides with the next batch."""
        if self._is_closed:
            return
        opened = Opened(request_id=request_id, response_id=storable_text(response_id))
        if self._standby is not None and self._is_behind:
            self._standby.note(opened)
        else:
            self._writer.put(Job(posting=opened))

    async def named(self, request_id: str, response_id: str) -> None:
        """The same, and return when it is durable. Raises LedgerUnavailable as `settle` does."""
        opened = Opened(request_id=request_id, response_id=storable_text(response_id))
        job = Job(posting=opened, waiter=self._waiter())
        await self._keep(job, is_queued=self._standby is None or not self._is_behind)

    def note(self, refusal: Row) -> None:
        """Keep why a request was refused; it rides with the next batch."""
        if not (self._is_closed or self._writer.is_down):
            self._writer.put(Job(posting=Noted(row=refusal)))

    async def settle(self, exchange: Exchange) -> bool:
        """Return when the entry is durable: False where another was posted before it.

        Settling twice is settling once.

        A caller that is cancelled does not take the settlement with it. Raises LedgerUnavailable
        when the entry cannot be written, or the ledger closes before it is. Where even the journal
        fails it returns all the same: nobody is to wait for what may never be, and the hold stays.
        """
        job = Job(posting=settled(exchange), waiter=self._waiter())
        await self._keep(job, is_queued=self._standby is None or not self._writer.is_down)
        return not job.is_late

    async def replay(self, postings: Sequence[Posting]) -> bool:
        """Return when they are in the database; False when some cannot be written.

        Raises LedgerUnavailable when the ledger closes before that.
        """
        jobs = [Job(posting=posting, waiter=self._waiter()) for posting in postings]
        for job in jobs:
            self._writer.put(job)
        await asyncio.gather(*(job.waiter for job in jobs if job.waiter), return_exceptions=True)
        if any(isinstance(job.error, Closed) for job in jobs):
            raise LedgerUnavailable
        return all(job.error is None for job in jobs)

    @property
    def _is_behind(self) -> bool:
        """The database lacks what the journal has: maybe the hold of a name, which comes first."""
        return self._writer.is_down or self.journal_bytes > 0

    def _waiter(self) -> asyncio.Future[None]:
        if self._loop is None or self._is_closed:
            raise LedgerUnavailable
        return self._loop.create_future()

    async def _keep(self, job: Job, *, is_queued: bool) -> None:
        """Return when the job's posting is durable: in the database, or else in the journal."""
        self._owed.add(job)
        if is_queued:
            self._writer.put(job)
            if self._standby is not None:
                self._settling.watch(job, SETTLE_SECONDS_MAX)
            try:
                assert job.waiter is not None
                await job.waiter
                return
            except TooLate:
                pass
        if not await self._is_journaled(job) and not is_queued:
            job.waiter = None
            self._writer.put(job)

    def _late(self) -> None:
        self._writer.is_down = True

    async def _hold_in_outage(self, job: Job, hold: Hold, posting: Held) -> None:
        """Without the database, a request is refused, or goes on with its hold in the journal.

        Not where a hard budget may be on its way: nobody could say what is left of it.
        """
        if self._standby is None or self._outage == "refuse" or self._bench.may_bind(posting.claim):
            raise LedgerUnavailable
        job.is_kept = True
        try:
            await self._standby.keep(posting)
        except BaseException as error:
            # It may be on disk all the same, or in the database by now.
            self._void(hold)
            if isinstance(error, JournalFailed):
                raise LedgerUnavailable from error
            raise

    async def _is_journaled(self, job: Job) -> bool:
        if self._standby is None:
            return False
        assert not isinstance(job.posting, Noted)
        try:
            await self._standby.keep(job.posting)
        except JournalFailed:
            log.exception("an entry is not durable, its hold stays")
            return False
        self._owed.discard(job)
        return True

    async def _hand_over(self, job: Job) -> None:
        """At the end: what the database did not take."""
        is_durable = await self._is_journaled(job)
        if job.waiter is None or job.waiter.done():
            return
        if is_durable:
            job.waiter.set_result(None)
        else:
            job.waiter.set_exception(LedgerUnavailable())

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
        owed, answers = self._owed, False
        for job in jobs:
            if job.error is None:
                answers = answers or job.is_begun
            elif isinstance(job.error, Closed) and job in owed:
                continue  # not the end of it: there is the journal
            owed.discard(job)
            if job.hold is not None and job.is_left:
                self._void(job.hold)
            job.answer()
        if answers:
            self._writer.is_down = False  # late, but it answers

    def _soon(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon(call)

    def _void(self, hold: Hold) -> None:
        job = Job(posting=settled(void(hold, self.now_us(), reason=ABANDONED)))
        self._owed.add(job)  # where the writer has ended by now, the journal takes it
        self._writer.put(job)
