"""What was measured, for people: a table in Markdown, the machine, the place in a document.

Not here: measuring.
"""

import os
import platform
import re
import shutil
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.comparison import Compared
from bench.workloads import ALONE, ALONE_STREAMED, WHOLE

MEBIBYTE = 1024 * 1024
THOUSAND = 1000
BUSY = "The machine was busy with other work: measure again before you quote this."
NOT_MEASURED, OVERLOADED = "not measured", " †"
HEADINGS = (
    "system",
    "CPU µs a request",
    "requests/s on its core",
    "CPU µs an event, {0} streams",
    "CPU µs an event, {1} streams",
    "added to an event at {1} streams, p50 / p99 ms",
    "added to a whole body, p50 / p99 ms",
    "added to the first byte of a stream, p50 / p99 ms",
    "memory peak MiB",
)


def table(compared: Compared) -> str:
    """The systems, a row each; `†` where a system could not keep the streams' pace."""
    headings = [one.format(*compared.extent.streams) for one in HEADINGS]
    rows = [_row(compared, system) for system in compared.systems if system != "direct"]
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(compared: Compared, system: str) -> list[str]:
    few, many = compared.extent.streams
    request = compared.median(system, WHOLE.name, lambda one: one.cpu_us_per_request)
    rate = compared.median(system, WHOLE.name, lambda one: one.requests_per_second)
    memory = max(
        one.memory_bytes_max
        for (name, _), windows in compared.windows.items()
        for one in windows
        if name == system
    )
    return [
        system,
        f"{request:,.1f}",
        f"{rate:,.0f}",
        _event_cost(compared, system, few),
        _event_cost(compared, system, many),
        _added(compared, system, f"streams_{many}", "event_us"),
        _added(compared, system, ALONE.name, "total_us"),
        _added(compared, system, ALONE_STREAMED.name, "first_byte_us"),
        f"{memory / MEBIBYTE:,.0f}",
    ]


def _event_cost(compared: Compared, system: str, streams: int) -> str:
    windows = compared.windows.get((system, f"streams_{streams}"))
    if not windows:
        return NOT_MEASURED
    cost = statistics.median(one.cpu_us_per_event for one in windows)
    return f"{cost:.1f}" + (OVERLOADED if any(one.is_overloaded for one in windows) else "")


def _added(compared: Compared, system: str, workload: str, figure: str) -> str:
    """The medians' difference to the upstream itself, of the middle and of one in a hundred."""
    if (system, workload) not in compared.windows:
        return NOT_MEASURED

    def added_ms(mark: str) -> float:
        added_us = compared.added(system, workload, lambda one: getattr(one, figure).get(mark, 0.0))
        return max(0.0, added_us) / THOUSAND

    return f"{added_ms('p50'):,.2f} / {added_ms('p99'):,.2f}"


def machine() -> dict[str, Any]:
    """What a reader must know to compare: processor, cores, system, versions, the day."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": found[1] if found else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "nginx": _version("nginx", "-v"),
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _version(program: str, word: str) -> str | None:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        return None
    said = subprocess.run([path, word], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).strip().splitlines()[0]


def measured_on(on: dict[str, Any], *, windows: int, seconds: float) -> str:
    """The sentence below a table."""
    is_busy = on["load_average_before"] > on["cores"] / 2
    warning = f" **{BUSY}**" if is_busy else ""
    return (
        f"{on['date']}; {on['processor']}, {on['cores']} cores, {on['system']}, "
        f"Python {on['python']}; medians of {windows} windows of {seconds:g} s; "
        f"load average {on['load_average_before']:.1f} before.{warning}"
    )


def told(compared: Compared, on: dict[str, Any]) -> str:
    """The table with what it was measured on, and what is missing from it."""
    measured = measured_on(on, windows=compared.extent.windows, seconds=compared.extent.seconds)
    lines = [table(compared), "", measured]
    if OVERLOADED in lines[0]:
        lines.append("† It could not keep the streams' pace: its figures are of an overload.")
    lines += [f"Not measured: {why}." for why in compared.missing]
    lines += [
        f"**Errors**, so no figures: {what}: {why}" for what, why in compared.errors().items()
    ]
    return "\n".join(lines)


def put(text: str, into: Path, *, name: str) -> None:
    """Replace what stands between the two markers of this name in a document."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before = into.read_text(encoding="utf-8")
    head, found_begin, rest = before.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{into} has no place for {name}: it wants {begin} and {end}")
    into.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")
