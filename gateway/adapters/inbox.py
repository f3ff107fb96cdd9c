"""What waits for the writer: put by anyone, taken by one thread, which sleeps until there is some.

Not here: what is put (`job`), or what becomes of it (`writer`).
"""

import queue
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from gateway.adapters.job import Job


class Inbox:
    """First in, first out. A put costs next to nothing unless who takes is asleep.

    `soon` runs a call a little later: what else is put until then is taken with it.
    """

    def __init__(self, soon: Callable[[Callable[[], None]], object]) -> None:
        self._soon = soon
        self._jobs: deque[Job] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_asleep = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Append a job."""
        self._jobs.append(job)
        if self._is_asleep:
            self._is_asleep = False  # one call is enough
            self._soon(self.wake)

    def wake(self) -> None:
        """End the sleep, though there be no job."""
        self._bell.put(None)

    def sleep(self, seconds_max: float) -> None:
        """Return when there is a job, or was a call, or the time is over; sometimes before."""
        self._is_asleep = True
        if not self._jobs:  # else one came before it could know that it is to ring
            with suppress(queue.Empty):
                self._bell.get(timeout=seconds_max)
        self._is_asleep = False

    def take(self, most: int) -> list[Job]:
        """The first jobs, at most so many."""
        take = self._jobs.popleft
        return [take() for _ in range(min(len(self._jobs), most))]
