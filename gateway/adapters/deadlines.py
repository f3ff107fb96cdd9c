"""Until when jobs are waited for: one timer for all of them, as almost none is ever late.

Not here: what becomes of one that is late (`ledger`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from gateway.adapters.job import Job, TooLate


class Deadlines:
    """Of one event loop. `on_late` is called for each job that the database did not answer."""

    def __init__(self, on_late: Callable[[], None]) -> None:
        self._on_late = on_late
        self._watched: deque[tuple[float, Job, float]] = deque()  # the first to be due is first
        self._latest = 0.0  # when the last watched is due, or the timer, whose job is done
        self._is_timed = False

    def watch(self, job: Job, seconds_max: float) -> None:
        """Let its waiter raise TooLate; one that waits for money has its own limit besides."""
        self._drop_done()
        due = time.monotonic() + seconds_max
        if self._is_timed and due < self._latest:  # some had a part of their time before
            self._give_up_in(seconds_max, job, seconds_max)
            return
        self._watched.append((due, job, seconds_max))
        self._latest = due
        if not self._is_timed:
            self._time(seconds_max)

    def _drop_done(self) -> None:
        watched = self._watched
        while watched and _is_done(watched[0][1]):
            watched.popleft()

    def _time(self, seconds: float) -> None:
        # Not at once: a loop that is itself late runs its timers before it hears of what is done.
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, loop.call_soon, self._look)
        self._is_timed = True

    def _look(self) -> None:
        now, watched = time.monotonic(), self._watched
        while watched and (watched[0][0] <= now or _is_done(watched[0][1])):
            _, job, seconds_max = watched.popleft()
            self._give_up(job, seconds_max)
        self._is_timed = False
        if watched:
            self._time(watched[0][0] - now)

    def _give_up(self, job: Job, seconds_max: float) -> None:
        if job.waiter is None or job.waiter.done():
            return
        left_seconds = job.wait_until - time.monotonic()
        if job.is_waiting and left_seconds > 0:  # the database answered: it waits for money
            self._give_up_in(left_seconds + seconds_max, job, seconds_max)
            return
        self._on_late()
        job.waiter.set_exception(TooLate())

    def _give_up_in(self, seconds: float, job: Job, seconds_max: float) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, loop.call_soon, self._give_up, job, seconds_max)


def _is_done(job: Job) -> bool:
    return job.waiter is None or job.waiter.done()
