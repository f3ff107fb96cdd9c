"""The journal as a file: what is appended is on disk when `append` returns.

A record is its length, a checksum and its payload. Who reads stops at the first that is torn or
damaged: what comes before it is whole, and nothing is made up. Not here: what a payload says
(`journal_records`), when one is written (`standby`).

The file is locked for as long as its owner lives, so that nobody else replays it. One that was left
behind may be adopted, by whoever gets its lock.
"""

import fcntl
import logging
import os
import threading
import zlib
from collections.abc import Generator, Sequence
from pathlib import Path
from struct import Struct

from gateway.adapters.database import PRIVATE_FILE

log = logging.getLogger(__name__)

JOURNAL_BYTES_MAX = 1 << 30
RECORD_BYTES_MAX = 1 << 24  # a length beyond it is damage, not a record
DAMAGED = ".damaged"
_HEAD = Struct("<II")
_LENGTH = Struct("<I")
_CLOSED = -1


class JournalFailed(Exception):
    """The journal does not take the record."""


class Journal:
    """This process' own file. Every method may be called from any thread."""

    def __init__(
        self, state_dir: Path, owner_id: str, *, bytes_max: int = JOURNAL_BYTES_MAX
    ) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._path = state_dir / f"journal-{owner_id}.log"
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._size_bytes = 0
        self._is_broken = False
        self._file = _create(self._path)

    @property
    def size_bytes(self) -> int:
        """What is kept, and not yet known to be in the database."""
        return self._size_bytes

    def append(self, payloads: Sequence[bytes]) -> None:
        """Write them all and wait once for the disk. Raises JournalFailed when it is not there."""
        data = b"".join(map(_record, payloads))
        with self._lock:
            if self._is_broken:
                raise JournalFailed("it failed before, and what it says then is not to be believed")
            if self._size_bytes + len(data) > self._bytes_max:
                raise JournalFailed(f"it is full: {self._size_bytes} of {self._bytes_max} bytes")
            self._write(data)

    def read(self, start_bytes: int, records_max: int) -> tuple[list[bytes], int]:
        """Some payloads and where the next begins; none where nothing more can be read."""
        with self._lock:
            return read_records(self._file, start_bytes, records_max)

    def clear(self, end_bytes: int, *, is_kept: bool = False) -> bool:
        """What was read up to here is in the database; False when more has come since.

        `is_kept`: not all of it is, so that the file is set aside for people to look at.
        """
        with self._lock:
            if end_bytes < self._size_bytes or self._file == _CLOSED:
                return False
            if is_kept:
                _set_aside(self._path)
                self._renew()
            elif self._is_broken:
                # After a failed fsync no later one on the same file proves anything.
                self._path.unlink(missing_ok=True)
                self._renew()
            else:
                os.ftruncate(self._file, 0)
                self._size_bytes = 0
            return True

    def close(self) -> None:
        """Let go; a file that holds anything stays, to be adopted."""
        with self._lock:
            if self._file == _CLOSED:
                return
            if not self._size_bytes:
                self._path.unlink(missing_ok=True)
            self._is_broken = True
            os.close(self._file)
            self._file = _CLOSED  # its number may soon be another file's

    def _write(self, data: bytes) -> None:
        try:
            _write_at(self._file, self._size_bytes, data)
        except OSError as error:
            self._take_back()
            raise JournalFailed(str(error)) from error
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._is_broken = True
            self._take_back()
            raise JournalFailed(str(error)) from error
        self._size_bytes += len(data)

    def _take_back(self) -> None:
        """What was refused must not be replayed, nor stand before what comes later."""
        try:
            os.ftruncate(self._file, self._size_bytes)
        except OSError:
            self._is_broken = True

    def _renew(self) -> None:
        os.close(self._file)
        self._file = _create(self._path)
        self._size_bytes = 0
        self._is_broken = False


class LeftJournal:
    """A journal whose owner is gone; ours until it is closed."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file

    def read(self, start_bytes: int, records_max: int) -> tuple[list[bytes], int]:
        """Some payloads and where the next begins; none where nothing more can be read."""
        return read_records(self._file, start_bytes, records_max)

    def unread_bytes(self, end_bytes: int) -> int:
        """What lies beyond the last record that could be read."""
        return os.fstat(self._file).st_size - end_bytes

    def remove(self) -> None:
        """All it says is in the database."""
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> None:
        """All that could be read is in the database; the rest is for people to look at."""
        _set_aside(self.path)

    def close(self) -> None:
        """Let others have it."""
        os.close(self._file)


def left_journals(state_dir: Path) -> Generator[LeftJournal]:
    """Those whose owners are gone, each closed when the next is asked for."""
    for path in sorted(state_dir.glob("journal-*.log")):
        file = _lock_if_left(path)
        if file is None:
            continue
        left = LeftJournal(path, file)
        try:
            yield left
        finally:
            left.close()


def read_records(file: int, start_bytes: int, records_max: int) -> tuple[list[bytes], int]:
    """Payloads from a position on, and the position after them."""
    found: list[bytes] = []
    while len(found) < records_max:
        payload = _payload_at(file, start_bytes)
        if payload is None:
            break
        found.append(payload)
        start_bytes += _HEAD.size + len(payload)
    return found, start_bytes


def _payload_at(file: int, start_bytes: int) -> bytes | None:
    try:
        head = os.pread(file, _HEAD.size, start_bytes)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if length > RECORD_BYTES_MAX:
            return None
        payload = os.pread(file, length, start_bytes + _HEAD.size)
    except OSError:  # a sector that cannot be read is damage like any other
        return None
    is_whole = len(payload) == length and checksum == _checksum(payload)
    return payload if is_whole else None


def _record(payload: bytes) -> bytes:
    if len(payload) > RECORD_BYTES_MAX:
        raise JournalFailed(f"a record of {len(payload)} bytes is too large")
    return _HEAD.pack(len(payload), _checksum(payload)) + payload


def _checksum(payload: bytes) -> int:
    # Over the length too: a file that the system filled with zeros is no row of empty records.
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(len(payload))))


def _write_at(file: int, start_bytes: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, start_bytes)
        start_bytes += written
        rest = rest[written:]


def _create(path: Path) -> int:
    """Our own file, locked and empty, and its name on disk."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            break
        os.close(file)  # somebody adopted it between the two calls, and removed it
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return file


def _lock_if_left(path: Path) -> int | None:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file).st_nlink:
            return file
    except BlockingIOError:
        pass
    os.close(file)
    return None


def _set_aside(path: Path) -> None:
    """Under a name that nobody adopts. It is ours alone, so no other takes the same one."""
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}{DAMAGED}")).exists():
        number += 1
    path.replace(kept)
    log.error("a journal could not be brought into the ledger whole: it is kept as %s", kept)
