"""`python -m bench.memory`: whether memory grows, over minutes at one pace. Prints it every second.

The figure is what the second half added: the first fills caches. Not here: peaks of the comparison.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from bench.processes import NotHere, compiled, tree
from bench.report import MEBIBYTE
from bench.systems import full, upstream
from bench.workloads import Clients, Window, Workload

EVERY_SECONDS = 1.0
CONNECTIONS = 64


def resident_bytes(root: int) -> int:
    """Of a process tree, now."""
    kibibytes = 0
    for pid in tree(root):
        with suppress(OSError, StopIteration):
            rows = Path(f"/proc/{pid}/status").read_text().splitlines()
            kibibytes += next(int(row.split()[1]) for row in rows if "VmRSS" in row)
    return kibibytes * 1024


def growth_bytes(samples: list[int]) -> float:
    """What the last tenth has more than the tenth after the middle; medians, as it breathes."""
    tenth, middle = max(1, len(samples) // 10), len(samples) // 2
    return statistics.median(samples[-tenth:]) - statistics.median(samples[middle:][:tenth])


def sampled(pid: int, load: Future[Window]) -> Iterator[int]:
    while not load.done():
        yield resident_bytes(pid)
        time.sleep(EVERY_SECONDS)


def run(seconds: float, rate: int) -> tuple[Window, list[int]]:
    """A load at a pace, and the memory meanwhile. Raises NotHere."""
    workload = Workload(name="paced", connections=CONNECTIONS, rate=rate)
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as name,
        ThreadPoolExecutor() as beside,
    ):
        folder = Path(name)
        clients = Clients(program=compiled("load", folder), folder=folder)
        with (
            upstream(compiled("upstream", folder), folder) as direct,
            full(folder / "full", direct.port) as system,
        ):
            assert system.pid is not None
            load = beside.submit(clients.ask, system, workload, seconds=seconds)
            samples = []
            for sample in sampled(system.pid, load):
                samples.append(sample)
                print(f"{len(samples):5} {sample / MEBIBYTE:8.1f} MiB", file=sys.stderr)
            return load.result(), samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second")
    options = parser.parse_args()
    try:
        window, samples = run(options.minutes * 60, options.rate)
    except NotHere as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    print(
        f"{window.requests:,} requests in {window.seconds:g} s, {window.errors} errors; "
        f"{max(samples) / MEBIBYTE:.1f} MiB at most; "
        f"the second half added {growth_bytes(samples) / MEBIBYTE:+.1f} MiB"
    )
    return 1 if window.errors else 0


if __name__ == "__main__":
    sys.exit(main())
