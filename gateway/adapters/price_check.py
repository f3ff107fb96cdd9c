"""Every mistake of a price file at once, each with its line and what to do about it.

What reads price files stops at the first mistake; so each part of a file is read here by itself,
set into a file that has no other. Not here: any rule of what a file may say (`price_format`,
`price_cards`).
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import book_of, load_prices
from gateway.adapters.toml_lines import Lines, Place, toml_lines

Table = Mapping[str, Any]

_PRICE: Table = {"input": "1"}
_ROW: Table = {"source": "-", "default": _PRICE}
_LIMITS: Table = {"input_tokens_max": 1, "output_tokens_max": 1}
_MODEL: Table = {**_LIMITS, "long_context_above_tokens": 1, "prices": [_ROW]}
_FILE: Table = {"as_of": "2026-01-01"}
_NESTED = ("tools", "windows", "unpriced", "images")

_PLACE = re.compile(r"^-: ((models|images|tools)\.\S+: )?")
_PATH = re.compile(r" - at `[^`]*`")
_KEY = re.compile(r"prices\[\d+\]\.(\w+)")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ADVICE = (
    (
        r"`str( \| null)?`, got `(int|float)`",
        'write it in quotes, as "2.50", which is exact',
    ),
    (r"unknown field `.*`$", "remove it, or look up its name in gateway/prices/README.md"),
    (r"missing required field `(.+)`", "add it"),
    (r"not a decimal number", 'write digits, with a point before decimals, as "2.50"'),
    (r"zero or more", "leave it out where no price is known"),
    (r"is more than", "it is for so many tokens or calls: move the decimal point"),
    (r"in force at the same time", "end the earlier with `to` on the day of the later's `from`"),
    (r"`from` is not before `to`", "`to` is the first day on which it is no longer in force"),
    (r"stands for", "give that a price here, or name a model of the book"),
    (r"RFC3339|`date", "write a day without quotes, as 2026-12-01"),
    (r"matching regex", 'write it in quotes, as "1.1"'),
    (r"Expected `int`", "write a whole number, as 128_000"),
    (r"length >= 1", "add [[models.NAME.prices]] with `source` and `default`"),
    (r"Expected `object`", 'write a table, as { input = "1", output = "2" }'),
)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong, and how it is put right."""

    line: int
    place: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.place}{': ' if self.place else ''}{self.reason}"


def mistakes(path: Path) -> list[Mistake]:
    """All that is wrong with a file, by line. Raises PriceFileInvalid where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise PriceFileInvalid(f"{path}: cannot be read: {broken}") from broken
    lines = toml_lines(text)
    if lines.broken:
        return [Mistake(line, "", f"is not TOML: {reason}") for line, reason in lines.broken]
    check = _Check(lines)
    check.file(tomllib.loads(text))
    if not check.found:  # what no part shows by itself
        check.reads((), lambda: load_prices(path))
    return sorted(check.found)


class _Check:
    """Reads part after part; what is wrong is remembered with its place."""

    def __init__(self, lines: Lines) -> None:
        self.found: set[Mistake] = set()
        self._lines = lines

    def reads(self, place: Place, load: Callable[[], object]) -> bool:
        """Whether it can be read."""
        try:
            load()
        except PriceFileInvalid as invalid:
            said = str(invalid)
            if (key := _KEY.search(said)) and (*place, key[1]) in self._lines.of:
                place = (*place, key[1])
            reason = _PATH.sub("", _PLACE.sub("", said))
            self.found.add(Mistake(self._lines.at(place), _in_words(place), _advised(reason)))
            return False
        return True

    def file(self, table: Table) -> None:
        """Each key of the file, each model, and that nothing is missing."""
        self._has_all(table, _FILE, self._reads_file, ())
        models = table.get("models")
        for name, value in table.items():
            if name == "models" and isinstance(value, dict):
                for model, said in value.items():
                    self._model((name, model), said)
            elif name == "aliases" and isinstance(value, dict):
                self._aliases(value, models if isinstance(models, dict) else {})
            elif name in _NESTED and isinstance(value, dict):
                for key, part in value.items():
                    tried = {**_FILE, "models": {"-": _MODEL}, name: {key: part}}
                    self._reads_file(tried, (name, key))
            elif name != "image_model_default":
                self._reads_file({**_FILE, name: value}, (name,))

    def _aliases(self, aliases: Table, models: Table) -> None:
        names = {*load_prices().names(), *models}
        for name, target in aliases.items():
            place = ("aliases", name)
            if not isinstance(target, str):
                self._reads_file({**_FILE, "aliases": {name: target}}, place)
            elif target not in names:
                reason = _advised(f"{name} stands for {target}, which has no price")
                self.found.add(Mistake(self._lines.at(place), _in_words(place), reason))

    def _model(self, place: Place, said: object) -> None:
        if not isinstance(said, dict):
            self._reads_model(said, place)
            return
        rows = said.get("prices")
        has_rows = isinstance(rows, list) and bool(rows)
        fine = [self._has_all(said, _MODEL, self._reads_model, place)]
        own = {**_LIMITS}  # what is well of it, and of the rest what would be
        for name, value in said.items():
            tried = _MODEL["prices"] if name == "prices" and has_rows else value
            fine.append(self._reads_model({**_MODEL, name: tried}, (*place, name)))
            if fine[-1]:
                own[name] = tried
        if isinstance(rows, list) and has_rows:
            for index, row in enumerate(rows):
                fine.append(self._row((*place, "prices", index), row, own))
            if all(fine):
                self._reads_model({**own, "prices": rows}, place)

    def _row(self, place: Place, row: object, model: Table) -> bool:
        """Whether a row is well: each of its keys, all of them, and they with its model."""
        if not isinstance(row, dict):
            return self._reads_row(row, place)
        fine = [self._cell((*place, name), name, value) for name, value in row.items()]
        fine.append(self._has_all(row, _ROW, self._reads_row, place))
        return all(fine) and self._reads_model({**model, "prices": [row]}, place)

    def _cell(self, place: Place, name: str, value: object) -> bool:
        """Whether a key of a row is well, and each price in it."""
        beside = {name.removesuffix("_long"): _PRICE} if name.endswith("_long") else {}
        row = {**_ROW, **beside}
        if not isinstance(value, dict):
            return self._reads_row({**row, name: value}, place)
        base = {} if name == "tools" else _PRICE

        def reads(cell: object, place: Place) -> bool:
            return self._reads_row({**row, name: cell}, place)

        fine = [reads({**base, key: usd}, (*place, key)) for key, usd in value.items()]
        return self._has_all(value, base, reads, place) and all(fine)

    def _has_all(
        self, said: Table, whole: Table, reads: Callable[[object, Place], bool], place: Place
    ) -> bool:
        """Whether it has all that what is `whole` cannot do without."""
        fine = [
            reads({name: whole[name] for name in whole if name != missing}, place)
            for missing in whole.keys() - said.keys()
        ]
        return all(fine)

    def _reads_row(self, row: object, place: Place) -> bool:
        return self._reads_model({**_MODEL, "prices": [row]}, place)

    def _reads_model(self, model: object, place: Place) -> bool:
        return self._reads_file({**_FILE, "models": {"-": model}}, place)

    def _reads_file(self, table: object, place: Place) -> bool:
        return self.reads(place, lambda: book_of(table, where="-", version="-"))


def _in_words(place: Place) -> str:
    """As TOML writes it, with the number of an array's element from 1."""
    words = ""
    for key in place:
        if isinstance(key, int):
            words += f"[{key + 1}]"
        else:
            words += f".{key}" if _BARE.fullmatch(key) else f'."{key}"'
    return words.removeprefix(".")


def _advised(reason: str) -> str:
    """With what to do about it, where the reason does not say so."""
    advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, reason)), None)
    return reason if advice is None else f"{reason}; {advice}"
