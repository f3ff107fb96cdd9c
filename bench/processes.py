"""Processes of the benchmark: compiled, started on a core of their own, weighed, ended.

Not here: what is started (`systems`), or what is made of the figures.
"""

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
START_SECONDS_MAX = 120.0  # others may be slow to import
STOP_SECONDS_MAX = 20.0
NANOSECONDS = 1_000_000_000
PROBE_SECONDS = 0.1


class NotHere(Exception):
    """Something that this machine lacks, and what it is needed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Of a process tree: processor time so far, and the sum of each process's peak of memory."""

    cpu_seconds: float
    memory_bytes_max: int


def compiled(name: str, folder: Path) -> Path:
    """`name.c` as a program in `folder`. Raises NotHere."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NotHere(
            "no C compiler: the load that Python makes would be the bottleneck (apt: gcc)"
        )
    program = folder / name
    subprocess.run([compiler, "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


def cores() -> tuple[set[int], set[int]]:
    """The core of the upstream and its clients, and the one of what is measured."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, {allowed[-1]}


@contextmanager
def on(core: set[int]) -> Iterator[None]:
    """What is started in the block runs on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    core: set[int],
    env: Mapping[str, str],
    log: Path,
    is_heard: bool = True,
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs inside the block; what it complains of, or says unheard, is in `log`."""
    with log.open("w") as written, on(core):
        out = subprocess.PIPE if is_heard else written
        process = subprocess.Popen(command, stdout=out, stderr=written, text=True, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def said_port(process: subprocess.Popen[str]) -> int:
    """The port in the line "… listening … PORT" or "…:PORT/v1" that a process begins with."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS_MAX)
    line = process.stdout.readline() if ready else ""
    if "listening" not in line:
        raise NotHere(f"{process.args!r} does not start; it said {line!r}")
    return int(line.split()[-1].removesuffix("/v1").rpartition(":")[2])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def await_port(process: subprocess.Popen[str], port: int) -> None:
    """Wait until it listens there."""
    give_up = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(PROBE_SECONDS)
    raise NotHere(f"{process.args!r} does not listen on {port}")


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                status = (entry / "stat").read_text()
                parent = int(status.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for one in found:
        found.extend(children.get(one, ()))
    return found


def weigh(root: int) -> Weight:
    """Of a process tree, from the scheduler's statistics: exact, where ticks would be counted."""
    nanoseconds = kibibytes = 0
    for pid in tree(root):
        with suppress(OSError):  # a process or thread that has just ended
            status = Path(f"/proc/{pid}/status").read_text()
            kibibytes += next(int(row.split()[1]) for row in status.splitlines() if "VmHWM" in row)
            for task in Path(f"/proc/{pid}/task").iterdir():
                nanoseconds += int((task / "schedstat").read_text().split()[0])
    return Weight(cpu_seconds=nanoseconds / NANOSECONDS, memory_bytes_max=kibibytes * 1024)
