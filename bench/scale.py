"""`python -m bench.scale`: what a request costs as tenants, keys, entries, streams, workers grow.

Each number has a gateway and a database of its own, and all of one kind are asked in turns, so that
what a neighbour of the machine does meets all alike. Prints tables, writes JSON and, with
`--update-docs`, `docs/scale.md` and its plots. Not here: filling databases (`population`).
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine

from bench.plot import line_plot
from bench.population import add_entries, add_keys, add_tenants
from bench.processes import NotHere, compiled, weigh
from bench.report import MEBIBYTE, machine, measured_on, put
from bench.systems import System, file_url, gateway, provisioned, upstream
from bench.workloads import WHOLE, Clients, Window, Workload, paced
from gateway.adapters.database import open_engine

DOCS = Path(__file__).resolve().parent.parent / "docs"
EVENTS_PER_SECOND = 10_000  # of all streams together, however many they are
KEYS_ASKED_MAX = 10_000  # as many as a gateway keeps in memory
KEYS_A_SECOND = 1_000  # that are looked up for the first time, at the least
Figures = dict[str, float]
Fill = Callable[[Engine, int], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One thing that grows, and what was measured at each of its numbers."""

    name: str
    points: dict[int, Figures]

    def table(self) -> str:
        headings = list(next(iter(self.points.values())))
        rows = [
            f"| {number:,} | {' | '.join(f'{value:,.1f}' for value in figures.values())} |"
            for number, figures in self.points.items()
        ]
        rule = "| ---: " * (len(headings) + 1) + "|"
        return "\n".join([f"| {self.name} | {' | '.join(headings)} |", rule, *rows])

    def plot(self) -> str:
        first = next(iter(next(iter(self.points.values()))))
        points = [(float(number), figures[first]) for number, figures in self.points.items()]
        return line_plot(f"{first} over {self.name}", self.name, points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The stage of all: upstream, clients, a folder, and how long is measured."""

    folder: Path
    clients: Clients
    upstream: System
    windows: int
    seconds: float

    def grow(
        self, name: str, numbers: tuple[int, ...], fill: Fill, *, is_used: bool = False
    ) -> Growth:
        """Whole bodies from 64 connections, before databases that `fill` made larger.

        `is_used`: it wants an entry that is there already.
        """
        with ExitStack() as running:
            systems, starts = {}, {}
            for number in numbers:
                place = self.folder / f"{name}-{number}"
                key = self._made(place, is_used=is_used)
                engine = open_engine(file_url(place), synchronous="NORMAL")
                keys = (key, *fill(engine, number))[-KEYS_ASKED_MAX:]
                engine.dispose()
                before = time.monotonic()
                systems[number] = running.enter_context(
                    gateway(f"{number} {name}", place, self.upstream.port, keys=keys)
                )
                starts[number] = _start(systems[number], time.monotonic() - before)
                self._ask(systems[number], WHOLE, seconds=1 + len(keys) / KEYS_A_SECOND)
            windows = self._in_turns(systems)
        points = {
            number: {**_figures(found), **starts[number]} for number, found in windows.items()
        }
        return Growth(name=name, points=points)

    def _made(self, place: Path, *, is_used: bool) -> str:
        """A new database; its key."""
        place.mkdir()
        key = provisioned(file_url(place), is_budgeted=True)
        if is_used:
            with gateway("first", place, self.upstream.port, keys=(key,)) as first:
                self._ask(first, replace(WHOLE, connections=1, warm_seconds=0), seconds=0.1)
        return key

    def _in_turns(self, systems: dict[int, System]) -> dict[int, list[Window]]:
        found: dict[int, list[Window]] = {number: [] for number in systems}
        for _ in range(self.windows):
            for number, system in systems.items():
                found[number].append(self._ask(system, WHOLE, seconds=self.seconds))
        return found

    def _ask(self, system: System, workload: Workload, *, seconds: float) -> Window:
        window = self.clients.ask(system, workload, seconds=seconds)
        said = f"{system.name}, {workload.name}: {window.cpu_us_per_request:.0f} µs"
        print(f"{said}, {window.errors} errors {window.complaint}", file=sys.stderr)
        return window

    def streams(self, numbers: tuple[int, ...]) -> Growth:
        """Streams that all begin before the window and end after it: what is open costs."""
        place = self.folder / "streams"
        place.mkdir()
        key = provisioned(file_url(place), is_budgeted=True)
        points = {}
        with gateway("streams", place, self.upstream.port, keys=(key,)) as system:
            for number in numbers:
                workload = _open(number, self.seconds)
                found = [
                    self._ask(system, workload, seconds=self.seconds) for _ in range(self.windows)
                ]
                points[number] = {
                    "CPU µs an event": statistics.median(one.cpu_us_per_event for one in found),
                    "events/s": statistics.median(one.events_per_second for one in found),
                    "memory peak MiB": max(one.memory_bytes_max for one in found) / MEBIBYTE,
                    "errors": sum(one.errors + one.unfinished for one in found),
                }
        return Growth(name="open streams", points=points)

    def workers(self, numbers: tuple[int, ...]) -> Growth:
        """Processes on one database; all cores are theirs, and the clients' too."""
        with ExitStack() as running:
            systems = {}
            for number in numbers:
                place = self.folder / f"workers-{number}"
                place.mkdir()
                keys = (provisioned(file_url(place), is_budgeted=True),)
                systems[number] = running.enter_context(
                    gateway(
                        f"{number} workers", place, self.upstream.port, keys=keys, workers=number
                    )
                )
            windows = self._in_turns(systems)
        points = {number: _figures(found) for number, found in windows.items()}
        return Growth(name="workers", points=points)


def _open(number: int, seconds: float) -> Workload:
    ramp_seconds = 1 + number / 500
    every_ms = max(1, round(number * 1_000 / EVENTS_PER_SECOND))
    life_seconds = ramp_seconds + seconds + 1
    return replace(
        paced(number, every_ms=every_ms, seconds=life_seconds),
        ramp_ms=round(ramp_seconds * 1_000),
        warm_seconds=ramp_seconds + 0.5,
    )


def _start(system: System, seconds: float) -> Figures:
    """Until it listened: by the clock, which neighbours slow, and of the processor."""
    assert system.pid is not None
    return {"start s": seconds, "start CPU s": weigh(system.pid).cpu_seconds}


def _figures(found: list[Window]) -> Figures:
    return {
        "CPU µs a request": statistics.median(one.cpu_us_per_request for one in found),
        "requests/s": statistics.median(one.requests_per_second for one in found),
        "p50 ms": statistics.median(one.total_us["p50"] for one in found) / 1_000,
        "p99 ms": statistics.median(one.total_us["p99"] for one in found) / 1_000,
        "errors": sum(one.errors + one.unfinished for one in found),
        "memory peak MiB": max(one.memory_bytes_max for one in found) / MEBIBYTE,
    }


def _fill_entries(engine: Engine, count: int) -> list[str]:
    if count:
        add_entries(engine, count)
    return []


@contextmanager
def _bench(windows: int, seconds: float) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="gateway-scale-") as name:
        folder = Path(name)
        clients = Clients(program=compiled("load", folder), folder=folder)
        with upstream(compiled("upstream", folder), folder) as direct:
            yield Bench(
                folder=folder, clients=clients, upstream=direct, windows=windows, seconds=seconds
            )


def measured(bench: Bench, *, only: str | None, is_long: bool) -> Iterator[Growth]:
    """Each growth that is asked for."""
    entries = (0, 100_000, 1_000_000, *((10_000_000,) if is_long else ()))
    ways: dict[str, Callable[[], Growth]] = {
        "tenants": lambda: bench.grow("tenants", (1, 64, 1_000, 10_000), add_tenants),
        "keys": lambda: bench.grow("keys", (1, 1_000, 10_000, 100_000), add_keys),
        "entries": lambda: bench.grow("entries", entries, _fill_entries, is_used=True),
        "streams": lambda: bench.streams((100, 500, 1_000, 2_500, 5_000)),
        "workers": lambda: bench.workers((1, 2)),
    }
    for name, way in ways.items():
        if only in (None, name):
            yield way()


def _update_docs(growth: Growth, on: str) -> None:
    name = growth.name.replace(" ", "-")
    (DOCS / f"scale-{name}.svg").write_text(growth.plot(), encoding="utf-8")
    put(f"{growth.table()}\n\n{on}", DOCS / "scale.md", name=name)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--only", choices=("tenants", "keys", "entries", "streams", "workers"))
    parser.add_argument("--long", action="store_true", help="10 million entries: about 10 GB")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path, default=Path("bench-scale.json"))
    parser.add_argument("--update-docs", action="store_true")
    options = parser.parse_args()
    on = measured_on(machine(), windows=options.windows, seconds=options.seconds)
    found = {}
    try:
        with _bench(options.windows, options.seconds) as bench:
            for growth in measured(bench, only=options.only, is_long=options.long):
                print(f"{growth.table()}\n")
                found[growth.name] = growth.points
                if options.update_docs:
                    _update_docs(growth, on)
    except NotHere as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    options.json.write_text(json.dumps({"measured": on, **found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
