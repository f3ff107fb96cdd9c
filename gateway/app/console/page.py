"""What a page of the console is made of: what it asks, what it shows, and its tables.

Not here: any page (`overview`, `requests`, …), or how it is written (`words`).
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from sqlalchemy import Engine

from gateway.app.console.viewer import Viewer
from gateway.core.errors import InvalidRequest
from gateway.core.pace import DAY_US
from gateway.core.price_book import PriceBook
from gateway.core.progress import SoFar

Cell = str | int | float | bool | None
_Value = TypeVar("_Value")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
SPANS_DAYS = {"7d": 7, "30d": 30, "90d": 90}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where pages find what they show. Synchronous; `now_us` is the database's clock."""

    engine: Engine
    now_us: Callable[[], int]
    rows_max: int  # of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A page that was asked for: by whom, its part of the path, and what is in force and live."""

    viewer: Viewer
    query: Mapping[str, str]
    book: PriceBook
    name: str = ""
    live: Mapping[str, SoFar] = field(default_factory=dict)

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        """A choice, by default the first. Raises InvalidRequest."""
        value = self.query.get(name) or choices[0]
        if value not in choices:
            raise InvalidRequest(f"{name} is one of {', '.join(choices)}, not {value!r}.")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number that is not negative. Raises InvalidRequest."""
        return self.parsed(name, _whole, default)

    def parsed(self, name: str, parse: Callable[[str], _Value], default: _Value) -> _Value:
        """A value as it is written. Raises InvalidRequest."""
        text = self.query.get(name, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as wrong:
            raise InvalidRequest(f"{name}: {text!r} cannot be read: {wrong}") from None

    @property
    def tenant(self) -> str | None:
        """Whose figures are asked for, with all below; None: all. Raises NotFound."""
        return self.viewer.narrowed(self.query.get("tenant"))

    def wants(self, tenant: str) -> bool:
        """Whether what belongs to this tenant is seen and asked for."""
        wanted = self.query.get("tenant")
        is_below = bool(wanted) and tenant.startswith(f"{wanted}/")
        return self.viewer.sees(tenant) and (not wanted or tenant == wanted or is_below)

    def address(self, path: str, **changed: str | None) -> str:
        """This page's address with some of its query changed; None leaves one out."""
        query = {**self.query, **changed}
        text = urlencode({name: value for name, value in query.items() if value})
        return f"{path}?{text}" if text else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as a spreadsheet reads it: names that stay, money as exact decimal strings."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def csv(self) -> str:
        """With its header. No cell is a formula, whoever named a thing."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([_harmless(cell) for cell in row] for row in self.rows)
        return text.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A template and what it is filled with. A table is made when it is asked for."""

    template: str
    facts: Mapping[str, object]
    tables: Mapping[str, Callable[[], Table]] = field(default_factory=dict)


def begin_of_span(span: str, now_us: int) -> int:
    """The first moment of the first of so many days, today the last one; UTC."""
    return now_us // DAY_US * DAY_US - (SPANS_DAYS[span] - 1) * DAY_US


def day_us(day: str | None) -> int:
    """The first moment of a day, in UTC."""
    return int(datetime.fromisoformat(day or "").replace(tzinfo=UTC).timestamp()) * 1_000_000


def table_of(records: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> Table:
    """A table of records that all have these columns."""
    return Table(columns=columns, rows=[[one[name] for name in columns] for one in records])


def _harmless(cell: Cell) -> Cell:
    is_text = isinstance(cell, str) and cell.startswith(_FORMULA)
    return f"'{cell}" if is_text else cell


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("it is no whole number")
    return int(text[:20])
