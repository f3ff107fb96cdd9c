"""What a system is asked in a window of time, and what it came to.

A window is a run of `load` against one system: connections that ask, read to the end and ask again.
Processor time is taken of the system's processes at the window's edges, so that it is of what was
served in it. Not here: which systems and windows make a table (`comparison`, `scale`).
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import Weight, cores, on, weigh
from bench.systems import MODEL, System, environment

MICROSECONDS = 1_000_000
MILLISECONDS = 1_000
PACE_KEPT = 0.9
FILLER = "Summarise the following paragraph for a busy reader. " * 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How many ask at once, for what; events apart by `every_ms`, begun within `ramp_ms`."""

    name: str
    connections: int
    events: int = 0  # 0: a whole body
    every_ms: int = 0
    warm_seconds: float = 1.0
    ramp_ms: int = 0
    rate: int = 0  # requests a second of all connections together; 0: as fast as they are answered

    @property
    def events_per_second(self) -> float:
        """What all streams come to; 0 where they are as fast as they are taken."""
        return self.connections * MILLISECONDS / self.every_ms if self.every_ms else 0.0

    @property
    def body(self) -> bytes:
        said = f"bench events={self.events} every_ms={self.every_ms}; {FILLER}"
        fields = {"model": MODEL, "input": said, "max_output_tokens": 1024}
        if self.events:
            fields["stream"] = True
        return json.dumps(fields, separators=(",", ":")).encode()


def paced(connections: int, *, every_ms: int = 20, seconds: float = 3.0) -> Workload:
    """Streams of some seconds, at 50 events a second each, begun evenly over that time."""
    return Workload(
        name=f"streams_{connections}",
        connections=connections,
        events=max(1, round(seconds * MILLISECONDS / every_ms)),
        every_ms=every_ms,
        warm_seconds=seconds + 0.2,
        ramp_ms=round(seconds * MILLISECONDS),
    )


WHOLE = Workload(name="whole_64", connections=64)
ALONE = Workload(name="whole_1", connections=1)
ALONE_STREAMED = Workload(name="stream_1", connections=1, events=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one window came to. Times in microseconds; percentiles by name, as `p50`."""

    seconds: float
    requests: int
    events: int
    errors: int
    unfinished: int
    complaint: str
    cpu_seconds: float
    memory_bytes_max: int
    events_wanted: float  # that the upstream had to tell; 0 where it is not paced
    total_us: Mapping[str, float] = field(default_factory=dict)
    first_byte_us: Mapping[str, float] = field(default_factory=dict)
    event_us: Mapping[str, float] = field(default_factory=dict)

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def is_overloaded(self) -> bool:
        """Whether streams came slower than they were told: then figures are of something else."""
        return self.events < self.events_wanted * PACE_KEPT

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_seconds * MICROSECONDS / max(1, self.requests)

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_seconds * MICROSECONDS / max(1, self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The compiled load, and a folder for what it reads."""

    program: Path
    folder: Path

    def ask(self, system: System, workload: Workload, *, seconds: float) -> Window:
        """One window against one system."""
        command = self._command(system, workload, seconds)
        with on(cores()[0]):
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=environment()
            )
        with process:
            try:
                return _window(process, system.pid, workload.events_per_second * seconds)
            finally:
                process.kill()  # it has ended by itself, unless something broke here

    def _command(self, system: System, workload: Workload, seconds: float) -> list[str | Path]:
        body, keys = self.folder / "body.json", self.folder / "keys"
        body.write_bytes(workload.body)
        keys.write_text("\n".join(system.keys) + "\n")
        options = {
            "--port": system.port,
            "--body": body,
            "--keys": keys,
            "--connections": workload.connections,
            "--warm": workload.warm_seconds,
            "--ramp-ms": workload.ramp_ms,
            "--rate": workload.rate,
            "--seconds": seconds,
        }
        return [self.program, *(str(word) for pair in options.items() for word in pair)]


def _window(process: "subprocess.Popen[str]", pid: int | None, events_wanted: float) -> Window:
    assert process.stdout is not None
    edges: list[Weight] = []
    told: dict[str, Any] = {}
    for line in process.stdout:
        if line.startswith("{"):
            told = json.loads(line)
        elif pid is not None:
            edges.append(weigh(pid))
    if not told:
        raise RuntimeError("the load ended without telling what it measured")
    return Window(
        **told,
        events_wanted=events_wanted,
        cpu_seconds=edges[1].cpu_seconds - edges[0].cpu_seconds if edges else 0.0,
        memory_bytes_max=edges[1].memory_bytes_max if edges else 0,
    )
