"""The ledger's one writer thread: what is queued becomes one transaction, then waiters are told.

Woken by the queue, never by a timer: what arrives while a transaction runs forms the next batch.
Not here: what a posting is (`posting`), and what its callers await (`ledger`).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from gateway.adapters.backlog import Backlog
from gateway.adapters.changes import News
from gateway.adapters.database import write_on, write_transaction
from gateway.adapters.docket import Docket
from gateway.adapters.inbox import Inbox
from gateway.adapters.job import BatchReport, Closed, Job
from gateway.adapters.judge import Bench
from gateway.adapters.lease import Lease
from gateway.adapters.outages import is_outage
from gateway.adapters.pipeline import poster_for
from gateway.adapters.posting import Replayed
from gateway.adapters.work import Posting, Settled
from gateway.core.errors import BudgetHeld

log = logging.getLogger(__name__)

RETRY_SECONDS_MIN = 0.02
RETRY_SECONDS_MAX = 1.0
WAIT_POLL_SECONDS = 0.05  # for holds of other processes to end
WAITING_MAX = 100  # each is decided anew with every batch, for which all others wait
CLOSE_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX_DOWN = 1.0


class Writer:
    """The thread. `resolve` is called in it with the jobs of each finished batch, and the news.

    `soon` is the event loop's: see `Inbox`.
    """

    def __init__(  # noqa: PLR0913 - its parts, each made by the ledger
        self,
        *,
        engine: Engine,
        lease: Lease,
        bench: Bench,
        backlog: Backlog,
        batch_max: int,
        resolve: Callable[[list[Job], list[News]], None],
        soon: Callable[[Callable[[], None]], object],
        on_batch: Callable[[BatchReport], None] | None,
    ) -> None:
        self.is_healthy = True
        self.is_down = False  # set by who waited too long; ends when a transaction commits
        self._engine = engine
        self._lease = lease
        self._bench = bench
        self._backlog = backlog
        self._batch_max = batch_max
        self._resolve = resolve
        self._on_batch = on_batch
        self._inbox = Inbox(soon)
        self.put = self._inbox.put  # a posting, in the event loop
        self._closing = threading.Event()
        self._waiting: list[Job] = []  # for money that is held: they come first in every batch
        self._poster = poster_for(engine.dialect)
        self._connection: Connection | None = None
        # A daemon: a database that hangs must not keep a process alive that has given up on it.
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @property
    def queued(self) -> int:
        """Postings that wait for a transaction."""
        return len(self._inbox)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, then end; blocks until then, or until that is not to be hoped."""
        self._closing.set()
        self._inbox.wake()
        begun = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - begun < self._close_seconds_max():
            self._thread.join(CLOSE_SECONDS_MAX_DOWN / 10)

    def _close_seconds_max(self) -> float:
        return CLOSE_SECONDS_MAX_DOWN if self.is_down else CLOSE_SECONDS_MAX

    def _run(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._take()
            self._write(jobs)
            self._waiting = [job for job in jobs if job.is_waiting]
            done = [job for job in jobs if not job.is_waiting] if self._waiting else jobs
            self._resolve(done, self._bench.take_news())
            self._catch_up()
        self._disconnect()
        self._end_lease()

    def _take(self) -> tuple[list[Job], bool]:
        """The next batch, empty when only heartbeat or log is due, and whether more may come."""
        is_closing = self._closing.is_set()
        if not (self._inbox or is_closing):
            self._inbox.sleep(self._due_in_seconds())
        jobs = self._waiting + self._inbox.take(self._batch_max)
        return jobs, not is_closing or bool(self._inbox)

    def _due_in_seconds(self) -> float:
        if not (self._backlog.is_empty or self.is_down):
            return 0
        due_in_seconds = min(self._lease.due_in_seconds(), self._bench.due_in_seconds())
        return min(due_in_seconds, WAIT_POLL_SECONDS) if self._waiting else due_in_seconds

    def _catch_up(self) -> None:
        """Write some of what the journal took; in between, what comes now has its turn."""
        if self._backlog.is_empty or self.is_down or self._closing.is_set():
            return
        jobs = [Job(posting=posting) for posting in self._backlog.take(self._batch_max)]
        self._write(jobs)
        failed = [job for job in jobs if job.error is not None]
        if any(isinstance(job.error, Closed) for job in failed):
            return
        for job in failed:
            log.error("a record of the journal cannot be written: %s", job.error)
        self._backlog.written(is_whole=not failed)

    def _write(self, jobs: list[Job]) -> None:
        """Write until it is durable: what cannot be written at all is set aside with its error."""
        pause_seconds = RETRY_SECONDS_MIN
        is_replay = False
        while True:
            wanted = [job for job in jobs if job.begin()]
            decided, error = self._attempt([job.posting for job in wanted], is_replay=is_replay)
            if error is None:
                self._answer(wanted, decided)
                if not is_replay:
                    _tell_late(wanted, decided)
                return
            if wanted and not is_outage(error):
                self._write_each(wanted, error)
                return
            self._disconnect()
            is_replay = True  # it may have been committed all the same
            if self._closing.is_set():
                _fail(wanted, Closed(str(error)))
                return
            self._closing.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, RETRY_SECONDS_MAX)

    def _answer(self, jobs: list[Job], decided: Docket) -> None:
        """What became of each hold: placed, refused, or to be tried again with the next batch."""
        waiting = 0  # those before it: the last to come are turned away
        for job in jobs:
            if job.hold is None:
                continue
            name = job.hold.request_id
            job.legs = decided.placed.get(name)
            job.error = decided.refused.get(name)
            job.is_waiting = waiting < WAITING_MAX and self._may_wait(job)
            if job.is_waiting:
                waiting += 1
                job.error, job.is_begun = None, False  # nothing of it is there

    def _may_wait(self, job: Job) -> bool:
        return (
            isinstance(job.error, BudgetHeld)
            and time.monotonic() < job.wait_until
            and not self._closing.is_set()
        )

    def _write_each(self, jobs: list[Job], error: Exception) -> None:
        """One posting cannot be written: find it, so that it does not fail the others."""
        if len(jobs) <= 1:
            _fail(jobs, error)
            return
        for job in jobs:
            self._write([job])

    def _attempt(
        self, batch: Sequence[Posting], *, is_replay: bool
    ) -> tuple[Docket, Exception | None]:
        begun = time.perf_counter()
        decided = Docket()
        try:
            if not (batch or self.is_down) and self._lease.due_in_seconds() > 0:
                self._poll()
                return decided, None
            decided = self._transact(batch, is_replay=is_replay)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a batch does
            self._bench.rolled_back()
            self._note(batch, begun, error)
            return decided, error
        self._note(batch, begun, None)
        return decided, None

    def _transact(self, batch: Sequence[Posting], *, is_replay: bool) -> Docket:
        try:
            return self._commit(batch, is_replay=is_replay)
        except Replayed:
            self._bench.rolled_back()
            return self._commit(batch, is_replay=True)

    def _commit(self, batch: Sequence[Posting], *, is_replay: bool) -> Docket:
        connection = self._connected()
        # An empty transaction that commits proves nothing: the probe writes the lease.
        renews = self.is_down or self._lease.due_in_seconds() == 0
        if not (is_replay or renews):
            posted = self._poster.at_once(connection, batch, judge=self._bench)
            if posted is not None:
                return posted
        renewed_us: int | None = None
        with write_on(connection):
            self._bench.sit(connection)
            if renews:
                renewed_us = self._lease.renew(connection)
            decided = self._poster.apply(connection, batch, judge=self._bench, is_replay=is_replay)
        if renewed_us is not None:
            self._lease.renewed(renewed_us)
        return decided

    def _poll(self) -> None:
        connection = self._connected()
        if self._bench.due_in_seconds() > 0:
            return
        with connection.begin():  # a reader's: no gate, and no lock
            self._bench.poll(connection)
        self.is_healthy = True

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            with self._connection.begin():
                # Before anything is written: the lease goes by the database's clock.
                self._bench.poll(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.invalidate()  # it may be broken, and then closing it in good order would raise
        connection.close()

    def _note(self, batch: Sequence[Posting], begun: float, error: Exception | None) -> None:
        if error is not None:
            log.warning("a ledger batch of %d failed: %s", len(batch), error)
        if error is None or is_outage(error):
            self.is_healthy = error is None
        if error is None or not is_outage(error):
            self.is_down = False
        if self._on_batch is None:
            return
        try:
            self._on_batch(
                BatchReport(
                    postings=len(batch),
                    duration_seconds=time.perf_counter() - begun,
                    is_committed=error is None,
                )
            )
        except Exception:
            log.exception("the sink of ledger batches failed")

    def _end_lease(self) -> None:
        try:
            with write_transaction(self._engine) as connection:
                self._lease.end(connection)
        except Exception:
            log.exception("the owner row stays until its lease ends")


def _tell_late(jobs: list[Job], decided: Docket) -> None:
    """Whose settlement was posted before: of several in one batch, the first is the one."""
    settling = [(job, job.posting.row[0]) for job in jobs if isinstance(job.posting, Settled)]
    if len(settling) == len(decided.fresh):
        return  # each is the first
    fresh = set(decided.fresh)
    for job, name in settling:
        job.is_late = name not in fresh
        fresh.discard(name)


def _fail(jobs: list[Job], error: Exception) -> None:
    for job in jobs:
        job.error = error
