"""Lists, page by page: `limit` rows `after` a place, and where the `next` page begins.

A place is the last row's own, as text that nobody needs to read: rows that come or go meanwhile
move no others. Not here: what a row says.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.core.errors import InvalidRequest

ROWS = 100
ROWS_MAX = 1_000
_NUMBERS_END = 2**63  # what a database holds

Place = tuple[str | int | float | None, ...]  # of sums: what they are of
Row = TypeVar("Row")
Shown = TypeVar("Shown")


class Page(BaseModel, Generic[Shown]):
    """Rows, and where the next page begins; null: there is none."""

    model_config = ConfigDict(extra="forbid")

    data: list[Shown]
    next: str | None = Field(examples=[None])


Limit = Annotated[int, Query(ge=1, le=ROWS_MAX, description="At most so many rows.")]
After = Annotated[
    str | None, Query(max_length=2_000, description="The `next` of the page before this one.")
]


def place_after(after: str | None, *kinds: type) -> Place | None:
    """The place that a page begins after; its parts are of these kinds. Raises InvalidRequest."""
    if after is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(after.encode("ascii")))
    except (binascii.Error, ValueError, RecursionError):
        place = None
    if not _is_place(place, kinds):
        raise InvalidRequest("'after' is not a place of this list: use a page's 'next'.")
    return tuple(place)


def _is_place(place: object, kinds: Sequence[type]) -> bool:
    return (
        isinstance(place, list)
        and [type(part) for part in place] == list(kinds)
        and all(abs(part) < _NUMBERS_END for part in place if isinstance(part, int))
    )


def written(place: Place) -> str:
    """A place as `next` has it."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()


def page(
    rows: Sequence[Row],
    limit: int,
    *,
    place: Callable[[Row], Place],
    document: Callable[[Row], Mapping[str, object]],
) -> dict[str, object]:
    """A page of rows that were read one further than its limit."""
    shown = rows[:limit]
    more = written(place(shown[-1])) if len(rows) > limit else None
    return {"data": [document(row) for row in shown], "next": more}


def page_of_all(
    rows: Sequence[Row],
    asked: tuple[int, str | None],
    *,
    place: Callable[[Row], Place],
    document: Callable[[Row], Mapping[str, object]],
) -> dict[str, object]:
    """A page of a list that is whole in memory. Raises InvalidRequest."""
    limit, after = asked
    begin = 0
    if after is not None:
        places = [written(place(row)) for row in rows]
        if after not in places:
            raise InvalidRequest("'after' is not a place of this list: begin anew without it.")
        begin = places.index(after) + 1
    return page(rows[begin : begin + limit + 1], limit, place=place, document=document)
