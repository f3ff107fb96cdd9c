"""On which line of a TOML file each key stands, which `tomllib` does not tell; and what is no TOML.

Not here: what the keys mean.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[str | int, ...]

_HEADER = re.compile(r"\[(\[?)([^#]*?)\]\]?\s*(#.*)?")
_UNFINISHED = "(at end of document)"
_WHERE = re.compile(r" \(at [^)]*\)$")
_LAST_LINE = re.compile(r"\(at line (\d+),")


@dataclass(slots=True)
class Lines:
    """Lines count from 1."""

    of: dict[Place, int] = field(default_factory=dict)
    broken: list[tuple[int, str]] = field(default_factory=list)  # lines that are no TOML, and why

    def at(self, place: Place) -> int:
        """The line of a key, or of the nearest table around it."""
        while place and place not in self.of:
            place = place[:-1]
        return self.of.get(place, 1)


def toml_lines(text: str) -> Lines:
    """Find every key, statement by statement, past those that are broken."""
    found = Lines()
    table: Place = ()
    arrays: dict[Place, int] = {}
    rows = text.splitlines()
    number = 0
    while number < len(rows):
        begin = number
        header = _HEADER.fullmatch(rows[number].strip())
        said, number = _statement(rows, number, found)
        if header is None:
            for place in _places(said, ()):
                found.of.setdefault((*table, *place), begin + 1)
            continue
        if said is not None:
            (*_, name) = _places(tomllib.loads(f"[{header[2]}]"), ())
            table = _within(name, arrays, is_new=bool(header[1]))
            found.of.setdefault(table, begin + 1)
    if not found.broken:
        _check_whole(text, found)
    return found


def _statement(rows: list[str], number: int, found: Lines) -> tuple[dict[str, object] | None, int]:
    """What the statement that begins on a line says, and the line after it."""
    reason = ""
    for end in range(number + 1, len(rows) + 1):
        try:
            return tomllib.loads("\n".join(rows[number:end])), end
        except tomllib.TOMLDecodeError as broken:
            reason = reason or str(broken)
            if not str(broken).endswith(_UNFINISHED):
                break
    found.broken.append((number + 1, _WHERE.sub("", reason)))
    return None, number + 1


def _places(said: object, above: Place) -> Iterator[Place]:
    """Every key in a statement, tables before what is in them."""
    if isinstance(said, dict):
        for key, value in said.items():
            yield (*above, key)
            yield from _places(value, (*above, key))
    elif isinstance(said, list):
        for index, value in enumerate(said):
            yield from _places(value, (*above, index))


def _within(name: Place, arrays: dict[Place, int], *, is_new: bool) -> Place:
    """A header's table: in the newest element of each array of tables on its way."""
    place: Place = ()
    for depth, key in enumerate(name, 1):
        place = (*place, key)
        if depth == len(name) and is_new:
            arrays[place] = arrays.get(place, -1) + 1
        if place in arrays:
            place = (*place, arrays[place])
    return place


def _check_whole(text: str, found: Lines) -> None:
    """Statements that are well by themselves may contradict each other."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        line = _LAST_LINE.search(str(broken))
        number = int(line[1]) if line else len(text.splitlines())
        found.broken.append((number, _WHERE.sub("", str(broken))))
