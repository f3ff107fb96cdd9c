"""What takes postings when the database does not: the journal, as the event loop sees it.

All that wait share one fsync. Not here: the file (`journal`), when to turn to it (`ledger`), and
how its records reach the database in the end (`writer`, `adoption`).
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from gateway.adapters.journal import Journal, JournalFailed
from gateway.adapters.journal_records import to_record
from gateway.adapters.work import Kept

log = logging.getLogger(__name__)

# A disk that hangs holds nobody up: what waits for it goes on, and says that it is not durable.
DISK_SECONDS_MAX = 1.0
_HUNG = "the disk does not answer"

_Waiting = tuple[bytes, asyncio.Future[None]]


class Standby:
    """One for a process and its loop."""

    def __init__(self, *, journal: Journal, on_failure: Callable[[], None]) -> None:
        self._journal = journal
        self._on_failure = on_failure
        self._waiting: list[_Waiting] = []
        self._writing: list[_Waiting] | None = None
        self._is_hung = False
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def keep(self, posting: Kept) -> None:
        """Return when the posting is on disk; raise JournalFailed when it is not in time.

        A caller that is cancelled does not take the record with it.
        """
        await self._put(posting)

    def note(self, posting: Kept) -> None:
        """The same, and nobody waits."""
        try:
            self._put(posting)
        except JournalFailed as failed:
            log.warning("a note was lost: %s", failed)

    def close(self) -> None:
        """Take nothing any more."""
        self._disk.shutdown(wait=False, cancel_futures=False)

    def _put(self, posting: Kept) -> asyncio.Future[None]:
        try:
            record = to_record(posting)
        except ValueError as error:
            self._on_failure()
            raise JournalFailed(f"it cannot be written: {error}") from error
        waiter = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(_seen)
        self._waiting.append((record, waiter))
        if self._is_hung:
            _refuse([waiter], _HUNG)
        self._write()
        return waiter

    def _write(self) -> None:
        if self._writing is not None or not self._waiting:
            return
        self._writing = batch = self._waiting
        self._waiting = []
        records = [record for record, _ in batch]
        loop = asyncio.get_running_loop()
        # From the write's own beginning, and not at once: a loop that is itself late, because so
        # many settle, runs its timers before it hears of what is done.
        limit = loop.call_later(DISK_SECONDS_MAX, loop.call_soon, self._hung, batch)
        writing = loop.run_in_executor(self._disk, self._journal.append, records)
        writing.add_done_callback(partial(self._written, batch, limit))

    def _hung(self, batch: list[_Waiting]) -> None:
        if self._writing is not batch:
            return
        self._is_hung = True
        log.error("the journal did not take %d records: %s", len(batch), _HUNG)
        self._on_failure()
        _refuse([waiter for _, waiter in (*batch, *self._waiting)], _HUNG)

    def _written(
        self, batch: list[_Waiting], limit: asyncio.TimerHandle, writing: asyncio.Future[None]
    ) -> None:
        limit.cancel()
        self._writing, self._is_hung = None, False
        waiters = [waiter for _, waiter in batch]
        error = writing.exception()
        if error is None:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        else:
            log.error("the journal did not take %d records: %s", len(batch), error)
            self._on_failure()
            _refuse(waiters, str(error))
        self._write()


def _refuse(waiters: list[asyncio.Future[None]], why: str) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(JournalFailed(why))


def _seen(waiter: asyncio.Future[None]) -> None:
    """Nobody may be there any more to hear of a failure: it was logged."""
    if not waiter.cancelled():
        waiter.exception()
