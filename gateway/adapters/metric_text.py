"""The families as text, fast: what does not change is written once.

A gateway with 500 tenants has a hundred thousand series, and its library writes each of them anew
at each scrape: more than a second during which streams wait for the interpreter. Here a series'
name and labels are kept as text, and the streams are let through between pieces. The text is the
library's to the byte. Not here: gauges that the database is asked for (`metric_readings`), or what
several processes come to (`metric_merge`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Generic, TypeVar

from prometheus_client.utils import floatToGoString

from gateway.adapters.metric_families import COUNTERS, GAUGES, HISTOGRAMS, Families
from gateway.adapters.metric_merge import Merged

PIECE_LINES_MAX = 1000  # half a millisecond
HISTOGRAM_LINES_MAX = 3 + max(len(bounds) for _, _, bounds in HISTOGRAMS.values())
PAUSE_SECONDS = 0.0001  # what wakes meanwhile goes first: with 0 it would seldom be quick enough

Names = tuple[str, ...]
Born = list[tuple[Names, Any]]  # children behind their family's name and their labels
Single = tuple[str, Callable[[], float]]  # what stands before a value, and who knows it
Buckets = tuple[Names, tuple[Callable[[], float], ...], Callable[[], float]]
_Row = TypeVar("_Row")


class Text:
    """What `/metrics` says of families. By one thread at a time."""

    def __init__(self, families: Families | Merged) -> None:
        self._counters = _Kind("counter", COUNTERS, families.counters.in_order, _single)
        self._gauges = _Kind("gauge", GAUGES, families.gauges.in_order, _single)
        self._histograms = _Kind("histogram", HISTOGRAMS, families.histograms.in_order, _buckets)

    def pieces(self) -> Iterator[str]:
        """All of it in pieces, with a pause after each that is full. Off the event loop."""
        yield from self._counters.pieces(_single_text, PIECE_LINES_MAX)
        yield from self._gauges.pieces(_single_text, PIECE_LINES_MAX)
        yield from self._histograms.pieces(_buckets_text, PIECE_LINES_MAX // HISTOGRAM_LINES_MAX)


class _Kind(Generic[_Row]):
    """All families of one type. A row is a child, as it is kept."""

    def __init__(
        self,
        word: str,
        families: Mapping[str, tuple[Any, ...]],
        children: Born,
        born: Callable[[str, Names, Any], _Row],
    ) -> None:
        self._children = children
        self._known = 0
        self._born = born
        self._heads = {
            name: f"# HELP {name} {help_text}\n# TYPE {name} {word}\n"
            for name, (help_text, *_) in families.items()
        }
        self._rows: dict[str, dict[Names, _Row]] = {name: {} for name in families}

    def pieces(self, text: Callable[[Iterable[_Row]], str], rows_max: int) -> Iterator[str]:
        self._learn()
        for name, head in self._heads.items():
            yield head
            rows = list(self._rows[name].values())
            for start in range(0, len(rows), rows_max):
                piece = rows[start : start + rows_max]
                yield text(piece)
                if len(piece) == rows_max:
                    time.sleep(PAUSE_SECONDS)

    def _learn(self) -> None:
        """The children that were born since the last scrape, each once."""
        new = self._children[self._known :]
        self._known += len(new)
        for count, ((name, *values), child) in enumerate(new, start=1):
            labels = tuple(values)
            if labels not in self._rows[name]:
                self._rows[name][labels] = self._born(name, labels, child)
            if count % PIECE_LINES_MAX == 0:
                time.sleep(PAUSE_SECONDS)


# As the families' lean increments do, these go past the library's checks.
def _single(name: str, values: Names, child: Any) -> Single:
    labels = (COUNTERS.get(name) or GAUGES[name])[1]
    return f"{name}{_told(zip(labels, values, strict=True))} ", child._value.get  # noqa: SLF001


def _single_text(rows: Iterable[Single]) -> str:
    return "".join([f"{prefix}{_number(value())}\n" for prefix, value in rows])


def _buckets(name: str, values: Names, child: Any) -> Buckets:
    _, labels, bounds = HISTOGRAMS[name]
    given = list(zip(labels, values, strict=True))
    told = [_told([*given, ("le", _in_full(bound))]) for bound in (*bounds, float("inf"))]
    ends = [f"{name}_count{_told(given)} ", f"{name}_sum{_told(given)} "]
    prefixes = (*(f"{name}_bucket{each} " for each in told), *ends)
    counts = tuple(bucket.get for bucket in child._buckets)  # noqa: SLF001
    return prefixes, counts, child._sum.get  # noqa: SLF001


def _buckets_text(rows: Iterable[Buckets]) -> str:
    lines = []
    for prefixes, counts, total in rows:
        reached = list(accumulate(count() for count in counts))
        values = (*reached, reached[-1], total())
        lines += [f"{at}{_number(value)}\n" for at, value in zip(prefixes, values, strict=True)]
    return "".join(lines)


def _number(value: float) -> str:
    """As the library writes it, which writes small numbers as Python does."""
    return repr(value) if 0 <= value < 1e6 else _in_full(value)  # noqa: PLR2004 - its limit


def _in_full(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call] # the library forgot its types


def _told(labels: Iterable[tuple[str, str]]) -> str:
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
