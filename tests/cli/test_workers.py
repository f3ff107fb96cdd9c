"""Workers are started together, replaced when they die, and end when they are to."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from gateway.cli.workers import pause_seconds

SECONDS_MAX = 30


class Crew:
    """A supervisor that runs, and what was said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def hear(self, *wanted: str) -> None:
        """Read on until lines that begin so have come, in whatever order."""
        missing = list(wanted)
        while missing:
            assert self.process.stdout is not None
            line = self.process.stdout.readline().strip()
            assert line, f"{missing} was never said, only {self.said}"
            self.said.append(line)
            heard = next((one for one in missing if line.startswith(one)), None)
            if heard is not None:
                missing.remove(heard)

    def pid(self, number: int) -> int:
        """Of the newest worker with this number."""
        lines = [line for line in self.said if line.startswith(f"worker {number} ")]
        return int(lines[-1].split()[-1])

    def end(self) -> tuple[int, list[str], str]:
        """Its exit code, what else was said, and what was said of mistakes."""
        out, err = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, out.splitlines(), err


@contextmanager
def crew(*arguments: str) -> Iterator[Crew]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.crew", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        # Also of workers that nobody ends: they would keep what is read open for ever.
        watchdog = threading.Timer(SECONDS_MAX, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            yield Crew(process)
        finally:
            watchdog.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_all_are_ready_before_it_is_said() -> None:
    with crew("3") as one:
        one.hear("ready")
        assert sorted(line[:8] for line in one.said[:-1]) == [f"worker {n}" for n in range(3)]
        assert len({one.pid(number) for number in range(3)}) == 3


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)]
)
def test_a_signal_ends_all(number: signal.Signals, code: int) -> None:
    with crew("2") as one:
        one.hear("ready")
        one.process.send_signal(number)
        ended, said, err = one.end()
    assert (ended, err) == (code, "")
    assert said[0] == "ending"
    assert sorted(set(said)) == ["ended 0", "ended 1", "ending", "lost 0", "lost 1"]


def test_one_that_was_killed_has_a_successor_of_its_number() -> None:
    with crew("2") as one:
        one.hear("ready")
        killed, other = one.pid(1), one.pid(0)
        os.kill(killed, signal.SIGKILL)
        one.hear("lost 1", "worker 1")
        assert one.said.index("lost 1") < len(one.said) - 1, "its successor came before its end"
        assert one.pid(1) != killed
        assert one.pid(0) == other
        assert one.said.count("ready") == 1
        one.process.terminate()
        assert "worker 1" in one.end()[2]


def test_one_that_dies_again_and_again_is_waited_for() -> None:
    with crew("2", "dies=1") as one:
        one.hear("lost 1", "lost 1", "lost 1")
        one.process.terminate()
        _, _, err = one.end()
    assert [line.split()[-2] for line in err.splitlines()[:2]] == ["0", "1"]


def test_the_pause_grows_to_a_limit() -> None:
    assert [pause_seconds(count) for count in range(8)] == [0, 0, 1, 3, 7, 15, 30, 30]


@pytest.mark.parametrize("number", [0, 1])
def test_what_keeps_one_from_starting_is_said_once_and_ends_all(number: int) -> None:
    with crew("2", f"refuses={number}") as one:
        code, said, err = one.end()
    assert (code, err) == (3, f"gateway: worker {number} cannot start\n")
    assert "ready" not in said
    assert sum(line.startswith("worker ") for line in said) == number


def test_one_that_does_not_hear_is_told_again() -> None:
    with crew("1", "deaf=0") as one:
        one.hear("ready")
        one.process.terminate()
        assert one.end()[:2] == (0, ["ending", "ended 0", "lost 0"])


def test_a_signal_while_they_start_ends_them() -> None:
    with crew("2", "deaf=0") as one:
        one.hear("worker 0")
        one.process.terminate()
        code, said, _ = one.end()
    assert code == 0
    assert "ended 0" in said


def test_they_learn_that_their_parent_was_killed() -> None:
    with crew("2") as one:
        one.hear("ready")
        one.process.kill()
        one.hear("orphaned 0", "orphaned 1")
