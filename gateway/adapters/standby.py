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
from gateway.adapters.posting import Posting

log = logging.getLogger(__name__)

# A disk that hangs holds nobody up: what waits for it goes on, and says that it is not durable.
DISK_SECONDS_MAX = 1.0

_Waiting = tuple[bytes, asyncio.Future[None]]


class Standby:
    """One for a process and its loop."""

    def __init__(self, *, journal: Journal, on_failure: Callable[[], None]) -> None:
        self._journal = journal
        self._on_failure = on_failure
        self._waiting: list[_Waiting] = []
        self._is_writing = False
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def keep(self, posting: Posting) -> None:
        """Return when the posting is on disk; raise JournalFailed when it is not in time.

        A caller that is cancelled does not take the record with it.
        """
        waiter = self._put(posting)
        done, _ = await asyncio.wait((waiter,), timeout=DISK_SECONDS_MAX)
        if not done:
            self._on_failure()
            raise JournalFailed(f"the disk did not answer within {DISK_SECONDS_MAX} s")
        waiter.result()

    def note(self, posting: Posting) -> None:
        """The same, and nobody waits."""
        try:
            self._put(posting)
        except JournalFailed as failed:
            log.warning("a note was lost: %s", failed)

    def close(self) -> None:
        """Take nothing any more."""
        self._disk.shutdown(wait=False, cancel_futures=False)

    def _put(self, posting: Posting) -> asyncio.Future[None]:
        try:
            record = to_record(posting)
        except ValueError as error:
            self._on_failure()
            raise JournalFailed(f"it cannot be written: {error}") from error
        waiter = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(_seen)
        self._waiting.append((record, waiter))
        self._write()
        return waiter

    def _write(self) -> None:
        if self._is_writing or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._is_writing = True
        records = [record for record, _ in batch]
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._disk, self._journal.append, records)
        writing.add_done_callback(partial(self._written, batch))

    def _written(self, batch: list[_Waiting], writing: asyncio.Future[None]) -> None:
        self._is_writing = False
        error = writing.exception()
        if error is not None:
            log.error("the journal did not take %d records: %s", len(batch), error)
            self._on_failure()
        for _, waiter in batch:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(JournalFailed(str(error)))
        self._write()


def _seen(waiter: asyncio.Future[None]) -> None:
    """Nobody may be there any more to hear of a failure: it was logged."""
    if not waiter.cancelled():
        waiter.exception()
