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
        self._looks_at: float | None = None  # of the monotonic clock

    def watch(self, job: Job, seconds_max: float) -> None:
        """Let its waiter raise TooLate; one that waits for money has its own limit besides."""
        self._drop_done()
        watched, due = self._watched, time.monotonic() + seconds_max
        last = watched[-1][0] if watched else self._looks_at
        if last is not None and due < last:  # some have less time, or had a part of it before
            self._give_up_in(seconds_max, job, seconds_max)
            return
        watched.append((due, job, seconds_max))
        if self._looks_at is None:
            self._time(due)

    def _drop_done(self) -> None:
        watched = self._watched
        while watched and _is_done(watched[0][1]):
            watched.popleft()

    def _time(self, due: float) -> None:
        # Not at once: a loop that is itself late runs its timers before it hears of what is done.
        loop = asyncio.get_running_loop()
        loop.call_later(due - time.monotonic(), loop.call_soon, self._look)
        self._looks_at = due

    def _look(self) -> None:
        now, watched = time.monotonic(), self._watched
        while watched and (watched[0][0] <= now or _is_done(watched[0][1])):
            _, job, seconds_max = watched.popleft()
            self._give_up(job, seconds_max)
        self._looks_at = None
        if watched:
            self._time(watched[0][0])

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
