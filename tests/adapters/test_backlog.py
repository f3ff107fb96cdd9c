"""What the journal holds comes out in order, and stays until it is written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters.backlog import Backlog
from gateway.adapters.journal import Journal
from gateway.adapters.journal_records import to_record
from gateway.adapters.work import Opened


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path, "me")
    yield opened
    opened.close()


def opened(number: int) -> Opened:
    return Opened(request_id=str(number), response_id="resp")


def note(journal: Journal, *numbers: int) -> None:
    journal.append([to_record(opened(number)) for number in numbers])


def test_without_a_journal_there_is_nothing() -> None:
    assert Backlog(None).is_empty


def test_it_comes_in_order_and_again_until_it_is_written(journal: Journal) -> None:
    backlog = Backlog(journal)
    assert backlog.is_empty
    note(journal, 1, 2, 3)
    assert backlog.take(2) == backlog.take(2) == [opened(1), opened(2)]
    backlog.written(is_whole=True)
    note(journal, 4)
    assert backlog.take(9) == [opened(3), opened(4)]
    assert not backlog.is_empty
    backlog.written(is_whole=True)
    assert backlog.is_empty
    note(journal, 5)
    assert backlog.take(9) == [opened(5)]


@pytest.mark.parametrize("is_unknown", [True, False])
def test_what_cannot_be_written_is_set_aside(
    journal: Journal, tmp_path: Path, is_unknown: bool
) -> None:
    backlog = Backlog(journal)
    note(journal, 1)
    if is_unknown:
        journal.append([b"{}"])
    assert backlog.take(9) == [opened(1)]
    backlog.written(is_whole=is_unknown)
    assert backlog.is_empty
    assert len(list(tmp_path.glob("*.damaged"))) == 1
    note(journal, 2)
    assert backlog.take(9) == [opened(2)]
    backlog.written(is_whole=True)
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def test_what_a_disk_damaged_does_not_hide_what_comes_later(
    journal: Journal, tmp_path: Path
) -> None:
    backlog = Backlog(journal)
    note(journal, 1, 2, 3)
    path = tmp_path / "journal-me.log"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert backlog.take(9) == [opened(1)]
    backlog.written(is_whole=True)
    assert backlog.take(9) == []
    note(journal, 4)
    backlog.written(is_whole=True)
    assert backlog.take(9) == [opened(4)]
    backlog.written(is_whole=True)
    assert backlog.is_empty
    assert len(list(tmp_path.glob("*.damaged"))) == 1
