"""Calendar months in UTC, as upkeep counts them, and the ids that requests were given in one.

A request's id is a UUIDv7: it begins with the moment at which it was made. So a month is a range of
ids, and the exactly-once token says itself in which month it is.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

_MONTHS = 12
_TEXT = re.compile(r"(\d{4})-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year. Months have the order of time."""

    year: int
    number: int  # from 1

    @classmethod
    def at(cls, moment_us: int) -> Self:
        """The month of a moment, in Unix microseconds."""
        at = datetime.fromtimestamp(moment_us // 1_000_000, tz=UTC)
        return cls(at.year, at.month)

    @classmethod
    def read(cls, text: str) -> Self:
        """As `2026-11`. Raises ValueError for what is none."""
        match = _TEXT.match(text)
        if match is None or match[1] == "0000":
            raise ValueError(f"{text!r} is no month: write 2026-11")
        return cls(int(match[1]), int(match[2]))

    @property
    def start_us(self) -> int:
        """Its first moment, in Unix microseconds."""
        return int(datetime(self.year, self.number, 1, tzinfo=UTC).timestamp()) * 1_000_000

    @property
    def first_id(self) -> str:
        """Not an id, but below all of this month and above all before it."""
        moment = f"{self.start_us // 1000:012x}"
        return f"{moment[:8]}-{moment[8:]}-0000-0000-000000000000"

    def plus(self, months: int) -> "Month":
        """So many months later; earlier where it is negative."""
        count = self.year * _MONTHS + self.number - 1 + months
        return Month(count // _MONTHS, count % _MONTHS + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"
