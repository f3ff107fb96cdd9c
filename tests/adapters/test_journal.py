"""What was acknowledged is read back, whatever becomes of the rest of the file."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import journal
from gateway.adapters.journal import Journal, JournalFailed, LeftJournal, left_journals

ROOT = Path(__file__).parents[2]
PAYLOADS = st.lists(st.binary(max_size=40), min_size=1, max_size=8)
APPENDING = """
import os, sys
from pathlib import Path
from gateway.adapters.journal import Journal
journal = Journal(Path(sys.argv[1]), "killed")
number = 0
while True:
    journal.append([b"%d" % n for n in range(number, number + 7)])
    number += 7
    os.write(1, b"%d\\n" % number)
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path, "me")
    yield opened
    opened.close()


def path_of(folder: Path, owner: str = "me") -> Path:
    return folder / f"journal-{owner}.log"


def all_of(read: Journal | LeftJournal, at_once: int = 3) -> list[bytes]:
    found: list[bytes] = []
    end = 0
    while True:
        payloads, end = read.read(end, at_once)
        if not payloads:
            return found
        found += payloads


def read_back(data: bytes) -> list[bytes]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return journal.read_records(file.fileno(), 0, 1_000)[0]


def is_start_of(some: list[bytes], whole: list[bytes]) -> bool:
    return some == whole[: len(some)]


def left(folder: Path) -> list[list[bytes]]:
    return [all_of(one) for one in left_journals(folder)]


def test_what_was_appended_is_read_in_order(own: Journal, tmp_path: Path) -> None:
    own.append([b"a", b"", b"b" * 5000])
    own.append([b"c"])
    assert all_of(own) == [b"a", b"", b"b" * 5000, b"c"]
    assert own.size_bytes == path_of(tmp_path).stat().st_size
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600


@given(PAYLOADS)
def test_every_cut_leaves_a_start_of_the_truth(payloads: list[bytes]) -> None:
    data = b"".join(map(journal._record, payloads))
    counts = []
    for length in range(len(data) + 1):
        found = read_back(data[:length])
        assert is_start_of(found, payloads)
        counts.append(len(found))
    assert counts == sorted(counts)
    assert read_back(data) == payloads


@given(PAYLOADS, st.data())
def test_flipped_bytes_make_nothing_up(payloads: list[bytes], draw: st.DataObject) -> None:
    data = bytearray(b"".join(map(journal._record, payloads)))
    places = st.tuples(st.integers(0, len(data) - 1), st.integers(1, 255))
    for place, flip in draw.draw(st.lists(places, min_size=1, max_size=5)):
        data[place] ^= flip
    assert is_start_of(read_back(bytes(data)), payloads)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    read_back(data)


def test_zeros_are_no_records() -> None:
    assert read_back(bytes(4096)) == []


def test_what_is_cleared_is_gone_and_what_came_since_is_not(own: Journal) -> None:
    own.append([b"a"])
    _, end = own.read(0, 10)
    own.append([b"b"])
    assert not own.clear(end)
    assert all_of(own) == [b"a", b"b"]
    assert own.clear(own.size_bytes)
    assert (own.size_bytes, all_of(own)) == (0, [])
    own.append([b"c"])
    assert all_of(own) == [b"c"]


def test_what_is_kept_for_people_is_not_read_again(own: Journal, tmp_path: Path) -> None:
    for _ in range(2):
        own.append([b"a"])
        assert own.clear(own.size_bytes, is_kept=True)
    own.append([b"b"])
    assert all_of(own) == [b"b"]
    assert len(list(tmp_path.glob("journal-me.log.*.damaged"))) == 2
    assert left(tmp_path) == []


def test_the_living_keep_their_journal(own: Journal, tmp_path: Path) -> None:
    own.append([b"a"])
    assert left(tmp_path) == []
    own.close()
    assert left(tmp_path) == [[b"a"]]
    with pytest.raises(JournalFailed):
        own.append([b"b"])
    assert not own.clear(own.size_bytes)


def test_an_empty_journal_leaves_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "state", "me").close()
    assert list((tmp_path / "state").iterdir()) == []


def test_one_journal_has_one_heir(tmp_path: Path) -> None:
    own = Journal(tmp_path, "me")
    own.append([b"a"])
    own.close()
    heirs = left_journals(tmp_path)
    heir = next(heirs)
    assert left(tmp_path) == []
    heir.remove()
    heirs.close()
    assert left(tmp_path) == []


def test_a_journal_that_was_removed_as_it_was_made_is_made_again(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    heir = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(heir, fcntl.LOCK_EX)
    made: list[Journal] = []
    making = threading.Thread(target=lambda: made.append(Journal(tmp_path, "me")))
    making.start()
    while not is_waited_for(path):
        time.sleep(0.001)
    path.unlink()
    os.close(heir)
    making.join()
    made[0].append([b"a"])
    made[0].close()
    assert left(tmp_path) == [[b"a"]]


def is_waited_for(path: Path) -> bool:
    """Whether someone waits for the file's lock, by the kernel's own list."""
    inode = f":{path.stat().st_ino} "
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and inode in line for line in locks)


def test_a_full_journal_refuses_and_stays_whole(tmp_path: Path) -> None:
    own = Journal(tmp_path, "me", bytes_max=100)
    own.append([b"a" * 50])
    with pytest.raises(JournalFailed, match="full"):
        own.append([b"b" * 50])
    own.append([b"c"])
    assert all_of(own) == [b"a" * 50, b"c"]
    own.close()


def test_a_record_beyond_belief_is_refused(own: Journal) -> None:
    with pytest.raises(JournalFailed, match="too large"):
        own.append([bytes(journal.RECORD_BYTES_MAX + 1)])


def test_a_write_that_fails_leaves_nothing_before_the_next(
    own: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def half(file: int, data: bytes, at: int) -> int:
        real(file, bytes(data)[: len(data) // 2], at)
        raise OSError(28, "No space left on device")

    own.append([b"a"])
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", half)
        with pytest.raises(JournalFailed, match="No space"):
            own.append([b"b" * 100])
    own.append([b"c"])
    assert all_of(own) == [b"a", b"c"]


def test_a_disk_that_takes_little_at_a_time_gets_it_all(
    own: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    with monkeypatch.context() as slow:
        slow.setattr(os, "pwrite", lambda file, data, at: real(file, bytes(data)[:3], at))
        own.append([b"abcdefgh"])
    assert all_of(own) == [b"abcdefgh"]


def test_after_a_failed_sync_the_file_is_not_believed_until_it_is_new(
    own: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    own.append([b"a"])
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(JournalFailed, match="Input/output"):
            own.append([b"b"])
    with pytest.raises(JournalFailed, match="failed before"):
        own.append([b"c"])
    assert all_of(own) == [b"a"]
    with path_of(tmp_path).open() as old:  # held open, or its number would be used again
        assert own.clear(own.size_bytes)
        assert not os.path.sameopenfile(old.fileno(), own._file)
    own.append([b"d"])
    assert all_of(own) == [b"d"]


def test_a_file_that_cannot_be_cut_is_not_believed(
    own: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", fail)
        broken.setattr(os, "ftruncate", fail)
        with pytest.raises(JournalFailed, match="Input/output"):
            own.append([b"a"])
    with pytest.raises(JournalFailed, match="failed before"):
        own.append([b"b"])


def test_what_cannot_be_read_is_damage(own: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    own.append([b"a"])
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", fail)
        assert all_of(own) == []


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", APPENDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(200)][-1]
        assert left(tmp_path) == []
        process.send_signal(signal.SIGKILL)
    (found,) = left(tmp_path)
    assert len(found) >= acknowledged
    assert found == [b"%d" % number for number in range(len(found))]
