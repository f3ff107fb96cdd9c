"""All that wait share one fsync, and nobody waits for a disk that hangs."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import standby as module
from gateway.adapters.journal import Journal, JournalFailed
from gateway.adapters.journal_records import from_record
from gateway.adapters.standby import Standby
from gateway.adapters.work import Opened


class Disk:
    """The machine's own, that can be told to hang or to fail."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: OSError | None = None
        self.syncs = 0
        self.real = os.fdatasync

    def sync(self, file: int) -> None:
        self.go_on.wait()
        self.syncs += 1
        if self.error is not None:
            raise self.error
        self.real(file)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    slow = Disk()
    monkeypatch.setattr(os, "fdatasync", slow.sync)
    return slow


@pytest.fixture
def failures() -> list[None]:
    return []


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, "me")


@pytest.fixture
async def standby(journal: Journal, disk: Disk, failures: list[None]) -> AsyncIterator[Standby]:
    made = Standby(journal=journal, on_failure=lambda: failures.append(None))
    yield made
    disk.go_on.set()
    made.close()
    journal.close()


def opened(number: int = 1, response_id: Any = "resp") -> Opened:
    return Opened(request_id=str(number), response_id=response_id)


def kept(journal: Journal) -> list[str]:
    payloads, _ = journal.read(0, 10_000)
    found = [from_record(payload) for payload in payloads]
    return [one.request_id for one in found if isinstance(one, Opened)]


async def test_what_is_kept_is_on_disk_when_it_returns(standby: Standby, journal: Journal) -> None:
    await standby.keep(opened(7))
    assert kept(journal) == ["7"]


async def test_all_that_wait_share_one_sync(standby: Standby, journal: Journal, disk: Disk) -> None:
    await asyncio.gather(*(standby.keep(opened(number)) for number in range(500)))
    assert kept(journal) == [str(number) for number in range(500)]
    assert disk.syncs == 2  # the first alone, and then all others


async def test_a_note_is_written_though_nobody_waits(standby: Standby, journal: Journal) -> None:
    standby.note(opened(1))
    await standby.keep(opened(2))
    assert kept(journal) == ["1", "2"]


async def test_who_is_cancelled_leaves_the_record(
    standby: Standby, journal: Journal, disk: Disk
) -> None:
    disk.go_on.clear()
    keeping = asyncio.ensure_future(standby.keep(opened(1)))
    await asyncio.sleep(0)
    keeping.cancel()
    disk.go_on.set()
    await standby.keep(opened(2))
    assert kept(journal) == ["1", "2"]


async def test_a_disk_that_fails_is_told_to_all_who_wait(
    standby: Standby, disk: Disk, failures: list[None], caplog: pytest.LogCaptureFixture
) -> None:
    disk.error = OSError(5, "Input/output error")
    with caplog.at_level(logging.CRITICAL):
        standby.note(opened(0))
        results = await asyncio.gather(
            *(standby.keep(opened(number)) for number in range(3)), return_exceptions=True
        )
    assert [type(result) for result in results] == [JournalFailed] * 3
    assert len(failures) == 2  # the note's append, and that of the three


async def test_a_disk_that_hangs_holds_nobody_up(
    standby: Standby,
    disk: Disk,
    journal: Journal,
    failures: list[None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "DISK_SECONDS_MAX", 0.05)
    disk.go_on.clear()
    with caplog.at_level(logging.CRITICAL):
        first = asyncio.ensure_future(standby.keep(opened(1)))
        await asyncio.sleep(0)
        results = await asyncio.gather(first, standby.keep(opened(2)), return_exceptions=True)
        with pytest.raises(JournalFailed, match="does not answer"):
            await standby.keep(opened(3))  # at once: nothing has changed
    assert [type(result) for result in results] == [JournalFailed] * 2
    assert len(failures) == 1
    disk.go_on.set()
    async with asyncio.timeout(20):
        while kept(journal) != ["1", "2", "3"]:  # what was refused may yet come true
            await asyncio.sleep(0.001)
    monkeypatch.setattr(module, "DISK_SECONDS_MAX", 60)
    await standby.keep(opened(4))


async def test_what_cannot_be_written_fails_alone(
    standby: Standby, journal: Journal, failures: list[None]
) -> None:
    with pytest.raises(JournalFailed, match="cannot be written"):
        await standby.keep(opened(1, object()))
    standby.note(opened(2, object()))
    await standby.keep(opened(3))
    assert kept(journal) == ["3"]
    assert len(failures) == 2
