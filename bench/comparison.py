"""The comparison: every system under every workload, in turns, and the medians of its windows.

In turns, because machines have neighbours: what is compared was measured within seconds of each
other. Not here: how figures are shown (`report`).
"""

import functools
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.processes import NotHere, compiled
from bench.systems import System, full, light, litellm, nginx, on_postgresql, upstream
from bench.workloads import ALONE, ALONE_STREAMED, WHOLE, Clients, Window, Workload, paced

Windows = dict[tuple[str, str], list[Window]]  # by system and workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured: windows a figure, their seconds, the two numbers of streams."""

    windows: int = 3
    seconds: float = 3.0
    streams: tuple[int, int] = (300, 1000)
    stream_seconds: float = 3.0  # how long each stream takes
    warm_seconds: float = 1.0

    @property
    def workloads(self) -> tuple[Workload, ...]:
        streams = (paced(count, seconds=self.stream_seconds) for count in self.streams)
        others = (WHOLE, ALONE, ALONE_STREAMED)
        return (*(replace(one, warm_seconds=self.warm_seconds) for one in others), *streams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Every window, and why a system is missing."""

    extent: Extent
    windows: Windows
    missing: list[str]

    @property
    def systems(self) -> list[str]:
        return list(dict.fromkeys(system for system, _ in self.windows))

    def median(self, system: str, workload: str, figure: Callable[[Window], float]) -> float:
        return statistics.median(figure(one) for one in self.windows[system, workload])

    def added(self, system: str, workload: str, figure: Callable[[Window], float]) -> float:
        """The same, less what it is without anything between."""
        direct = self.median("direct", workload, figure)
        return self.median(system, workload, figure) - direct

    def errors(self) -> dict[str, str]:
        """What went wrong, by system and workload: figures beside errors are worth nothing."""
        return {
            f"{system} {workload}": f"{one.errors} errors, {one.unfinished} unfinished: "
            f"{one.complaint}"
            for (system, workload), windows in self.windows.items()
            for one in windows
            if one.errors or (one.unfinished and not one.is_overloaded)
        }

    def as_json(self) -> dict[str, Any]:
        windows: dict[str, dict[str, Any]] = defaultdict(dict)
        for (system, workload), found in self.windows.items():
            windows[system][workload] = [asdict(one) for one in found]
        return {"missing": self.missing, "windows": windows}


def compare(
    extent: Extent,
    *,
    litellm_program: str = "litellm",
    postgresql_url: str = "",
    only: Collection[str] = ("nginx", "full", "light", "postgresql", "litellm"),
) -> Compared:
    """Start all systems that this machine has, and ask them in turns. Raises NotHere."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as running:
        folder = Path(name)
        clients = Clients(program=compiled("load", folder), folder=folder)
        direct = running.enter_context(upstream(compiled("upstream", folder), folder))
        ways: dict[str, Callable[[Path, int], AbstractContextManager[System]]] = {
            "nginx": nginx,
            "full": full,
            "light": light,
            "postgresql": functools.partial(on_postgresql, postgresql_url),
            "litellm": functools.partial(litellm, litellm_program),
        }
        systems, missing = [direct], []
        for one in only:
            try:
                systems.append(running.enter_context(ways[one](folder / one, direct.port)))
            except NotHere as why:
                missing.append(str(why))
        windows = _in_turns(clients, systems, extent)
    return Compared(extent=extent, windows=windows, missing=missing)


def _in_turns(clients: Clients, systems: list[System], extent: Extent) -> Windows:
    windows: Windows = defaultdict(list)
    overloaded: set[str] = set()  # once is enough: each window more would take minutes
    for workload in extent.workloads:
        for turn in range(extent.windows):
            for system in systems:
                if system.name in overloaded:
                    continue
                print(f"{workload.name} {turn + 1} {system.name}", file=sys.stderr)
                window = clients.ask(system, workload, seconds=extent.seconds)
                windows[system.name, workload.name].append(window)
                if window.unfinished and window.is_overloaded:
                    overloaded.add(system.name)
    return windows
