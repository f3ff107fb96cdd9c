"""Metrics of several processes as one: each keeps its values in files that all of them read.

A file belongs to a worker's number, not to its process: its successor counts on where it ended, so
no total goes back and no restart leaves files behind. Not here: the families (`metric_families`),
or what the files say (`metric_merge`).
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

# Not on a disk: writing a value would wait for it now and then, and with it the event loop.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in it is private, and made under a new name
# A hundred tenants with four models each take one and a half. Full memory would kill who writes.
WORKER_BYTES = 8 * 1024 * 1024
FOLDER_PREFIX = "gateway-metrics-"
_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One process' part: the folder of all, and its number among those that live."""

    folder: Path
    number: int

    def open(self) -> None:
        """From now on this process' metrics live in files."""
        os.environ[_FOLDER_VARIABLE] = str(self.folder)
        number = self.number
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: number)  # type: ignore[no-untyped-call]  # the library forgot its types

    def end(self) -> None:
        """Its process is gone: what it had under way is no more, what it counted stays."""
        mark_process_dead(self.number, path=str(self.folder))  # type: ignore[no-untyped-call]  # as above


@contextmanager
def metric_folder(workers: int, *, spare: Path, memory: Path = MEMORY) -> Iterator[Path]:
    """A private folder that lives as long as the block; those that the killed left are wiped.

    In memory, or in `spare` where there is none, or not enough.
    """
    base = memory if _has_room(memory, workers) else spare
    for left in base.glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError):  # it is in use, another user's, or just being wiped
            _wipe(left)
    folder, lock = _made(base)  # workers inherit the lock: it is held until the last of them ends
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _has_room(memory: Path, workers: int) -> bool:
    is_there = os.access(memory, os.W_OK)
    return is_there and shutil.disk_usage(memory).free >= workers * WORKER_BYTES


def _made(base: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base))
        with suppress(OSError):  # another that starts just took it for one that was left
            return folder, _lock(folder)


def _wipe(folder: Path) -> None:
    lock = _lock(folder)
    try:
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _lock(folder: Path) -> int:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    return lock
