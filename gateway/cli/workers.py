"""Several processes at the same work: started, replaced when they die, ended together.

uvicorn's own supervisor wants work that can be pickled, tells nobody when all are ready, and leaves
its workers running when it is killed. Not here: what a worker does (`serve`).
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType

from gateway.cli.exits import exit_code

ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TICK_SECONDS = 1.0
EARLY_SECONDS = 30.0  # a worker that ends before it is a sign that the next one may, too
PAUSE_SECONDS_MAX = 30

_FORK = multiprocessing.get_context("fork")  # the program is loaded once, its sockets are there
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a worker is told. `number`: below the count; its successor has the same.

    `parent` is a descriptor that can be read once the parent is gone, however it went.
    """

    number: int
    parent: int
    tell_ready: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    process: ForkProcess
    ready: Connection
    began: float

    def has_started(self) -> bool:
        """Wait until it is ready; False when it ended instead."""
        try:
            self.ready.recv_bytes()
        except EOFError:
            self.process.join()
            return False
        return True


class Workers:
    """So many processes that `work`, each in its place.

    `on_ready`: all are, for the first time. `on_lost`: the one of this number ended. `on_end`: a
    signal came, and no more work is to be taken; it may be told twice.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Place], None],
        *,
        on_ready: Callable[[], None],
        on_lost: Callable[[int], None],
        on_end: Callable[[], None],
    ) -> None:
        self._count = count
        self._work = work
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._on_end = on_end
        self._running: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}  # when a number that nobody has may be given again
        self._early_ends = 0
        self._ended_by: int | None = None
        self._parent, self._life = os.pipe()  # the one ends when all who hold the other are gone

    def run(self) -> None:
        """Until SIGTERM, SIGHUP or SIGINT and the last worker's end.

        Raises KeyboardInterrupt for SIGINT, and SystemExit with its code when a worker cannot
        start at first.
        """
        for number in ENDINGS:
            signal.signal(number, self._end)
        code = self._start_all()
        while self._running or self._ended_by is None:
            self._watch()
        if code:
            sys.exit(code)
        if self._ended_by == signal.SIGINT:
            raise KeyboardInterrupt

    def _start_all(self) -> int:
        """The first one alone: it says what is wrong once, and settles what others left."""
        for numbers in (range(1), range(1, self._count)):
            for worker in [self._start(number) for number in numbers]:
                has_started = worker.has_started()
                if self._ended_by is not None:
                    return 0
                if not has_started:
                    self._end(signal.SIGTERM)
                    return worker.process.exitcode or 1
        self._on_ready()
        return 0

    def _start(self, number: int) -> _Worker:
        ready, tell = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=self._be_worker, args=(number, tell), daemon=True)
        process.start()
        tell.close()  # so that reading the other end tells of the worker's end, too
        worker = _Worker(process=process, ready=ready, began=time.monotonic())
        self._running[number] = worker
        return worker

    def _be_worker(self, number: int, tell: Connection) -> None:
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(self._life)
        place = Place(
            number=number, parent=self._parent, tell_ready=lambda: tell.send_bytes(b"ready")
        )
        sys.exit(exit_code(lambda: self._work(place)))

    def _watch(self) -> None:
        wait([worker.process.sentinel for worker in self._running.values()], TICK_SECONDS)
        for number, worker in list(self._running.items()):
            if worker.process.exitcode is not None:
                self._lose(number, worker)
        if self._ended_by is not None:
            self._end_workers()  # again: one that had just been started may not have heard it
            return
        for number in [each for each, due in self._due.items() if due <= time.monotonic()]:
            del self._due[number]
            self._start(number)

    def _lose(self, number: int, worker: _Worker) -> None:
        del self._running[number]
        worker.ready.close()
        self._on_lost(number)
        if self._ended_by is not None:
            return
        now = time.monotonic()
        is_early = now - worker.began < EARLY_SECONDS
        self._early_ends = self._early_ends + 1 if is_early else 0
        pause = pause_seconds(self._early_ends)
        self._due[number] = now + pause
        _log.error(
            "worker %d, process %d, ended by itself with code %d: replaced in %d seconds",
            number, worker.process.pid, worker.process.exitcode, pause,
        )  # fmt: skip

    def _end(self, number: int, _frame: FrameType | None = None) -> None:
        if self._ended_by is None:
            self._ended_by = number
        self._on_end()
        self._end_workers()

    def _end_workers(self) -> None:
        for worker in list(self._running.values()):
            worker.process.terminate()


def pause_seconds(early_ends: int) -> int:
    """How long the next one waits after so many that ended early: not at all the first time."""
    return min((1 << max(0, early_ends - 1)) - 1, PAUSE_SECONDS_MAX)
