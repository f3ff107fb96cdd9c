"""What several processes count, added up from their files: fast, whoever of them is asked.

The library reads every name anew at each scrape, which takes a second for each worker that knows a
hundred tenants. Here a place in a file is learned once, for a file only grows; a scrape reads the
numbers. Not here: the files' lives (`metric_files`), or their text (`metric_text`).
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Generic, TypeVar

from gateway.adapters.metric_families import COUNTERS, GAUGES, HISTOGRAMS

Names = tuple[str, ...]
_length = Struct("i").unpack_from
_BEGIN_BYTES = 8  # how much of the file is in use, and nothing
_WORD_BYTES = 8
_LENGTH_BYTES = 4  # before each name


class Cell:
    """One number of all processes, asked as the library's are: a series is its own value."""

    __slots__ = ("at", "value")

    def __init__(self) -> None:
        self.value = self.at = 0.0

    @property
    def _value(self) -> "Cell":
        return self

    def cells(self) -> Iterable["Cell"]:
        """Itself."""
        return (self,)

    def get(self) -> float:
        """What it comes to."""
        return self.value

    def add(self, value: float, _at: float) -> None:
        """What all have together."""
        self.value += value

    def raise_to(self, value: float, _at: float) -> None:
        """What one has most of."""
        self.value = max(self.value, value)

    def renew(self, value: float, at: float) -> None:
        """What was said last."""
        if at >= self.at:
            self.value, self.at = value, at


class Buckets:
    """A histogram's numbers, in the library's shape."""

    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = (*bounds, float("inf"))
        self._buckets = [Cell() for _ in self._bounds]
        self._sum = Cell()

    def cells(self) -> Iterable[Cell]:
        """All of them."""
        return (self._sum, *self._buckets)

    def cell(self, part: str, bound: str) -> Cell:
        """A bucket's, or the sum."""
        return self._sum if part == "_sum" else self._buckets[self._bounds.index(float(bound))]


class Merged:
    """All files of a folder as one. `counters`, `gauges` and `histograms` are for `metric_text`."""

    def __init__(self, folder: Path) -> None:
        self.counters: _Children[Cell] = _Children()
        self.gauges: _Children[Cell] = _Children()
        self.histograms: _Children[Buckets] = _Children()
        self._folder = folder
        self._files: dict[Path, _File] = {}

    def read(self) -> None:
        """Add up what the files say now. By one thread at a time."""
        for children in (self.counters, self.gauges, self.histograms):
            for _, child in children.in_order:
                for cell in child.cells():
                    cell.value = cell.at = 0.0
        for path in self._folder.glob("*.db"):
            with suppress(FileNotFoundError):  # of a process that ended just now
                file = self._files.setdefault(path, _File())
                file.read(path, self._place)

    def _place(self, key: str) -> Cell | None:
        """Where a name of a file belongs; None: no family of ours has it."""
        family, name, labels, _help = json.loads(key)
        if family in HISTOGRAMS:
            bound = labels.pop("le", "")
            _, names, bounds = HISTOGRAMS[family]
            histogram = self.histograms.born(family, names, labels, lambda: Buckets(bounds))
            return histogram.cell(name.removeprefix(family), bound)
        if name in COUNTERS:
            return self.counters.born(name, COUNTERS[name][1], labels, Cell)
        if name in GAUGES:
            return self.gauges.born(name, GAUGES[name][1], labels, Cell)
        return None


_Child = TypeVar("_Child", Cell, Buckets)


class _Children(Generic[_Child]):
    """The children of some families, in the order in which they were met."""

    def __init__(self) -> None:
        self.in_order: list[tuple[Names, _Child]] = []
        self._known: dict[Names, _Child] = {}

    def born(
        self, name: str, names: Names, labels: dict[str, str], make: Callable[[], _Child]
    ) -> _Child:
        key = (name, *[labels[each] for each in names])
        if key not in self._known:
            self._known[key] = make()
            self.in_order.append((key, self._known[key]))
        return self._known[key]


class _File:
    """One file: which of its numbers is whose."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._known_bytes = _BEGIN_BYTES
        self._numbers: list[tuple[int, Cell]] = []  # the value; when it was set stands behind it

    def read(self, path: Path, place: Callable[[str], Cell | None]) -> None:
        """Fold its numbers into their cells."""
        with path.open("rb") as opened:
            begin = opened.read(_BEGIN_BYTES)
            used = _length(begin)[0] if len(begin) == _BEGIN_BYTES else 0
            data = begin + opened.read(used - _BEGIN_BYTES) if used else b""
        if path.name.startswith(_REPLACED):
            self._forget()
        self._learn(data, place)
        fold = _FOLDS.get(path.name.rpartition("_")[0], Cell.add)
        words = memoryview(data).cast("d")
        for number, cell in self._numbers:
            fold(cell, words[number], words[number + 1])

    def _learn(self, data: bytes, place: Callable[[str], Cell | None]) -> None:
        """The names that are new since it was last read: a length, the name, spaces, the number."""
        at = self._known_bytes
        while at < len(data):
            end = at + _LENGTH_BYTES + _length(data, at)[0]
            cell = place(data[at + _LENGTH_BYTES : end].decode())
            number = end // _WORD_BYTES + 1  # a name is followed by one space at least
            if cell is not None:
                self._numbers.append((number, cell))
            at = (number + 2) * _WORD_BYTES
        self._known_bytes = at


# A successor begins these anew. They are small; all others only grow.
_REPLACED = "gauge_live"
_FOLDS = {"gauge_max": Cell.raise_to, "gauge_mostrecent": Cell.renew}
