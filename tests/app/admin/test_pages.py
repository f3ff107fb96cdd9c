"""Pages: every row once, whatever the size of a page; a place that is none is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.admin.pages import Place, page, page_of_all, place_after, written
from gateway.core.errors import InvalidRequest


def document(row: int) -> dict[str, object]:
    return {"row": row}


@given(rows=st.lists(st.integers(), unique=True, max_size=30), limit=st.integers(1, 7))
def test_every_row_is_on_one_page(rows: list[int], limit: int) -> None:
    seen: list[object] = []
    after: str | None = None
    for _ in range(len(rows) + 1):
        told = page_of_all(rows, (limit, after), place=lambda row: (row,), document=document)
        data = told["data"]
        assert isinstance(data, list)
        assert len(data) <= limit
        seen += [one["row"] for one in data]
        if told["next"] is None:
            break
        after = str(told["next"])
    assert seen == rows


def test_the_last_page_has_no_next() -> None:
    for rows in ([], [1], [1, 2]):
        told = page(rows, 2, place=lambda row: (row,), document=document)
        assert told["next"] is None
    told = page([1, 2, 3], 2, place=lambda row: (row,), document=document)
    assert told == {"data": [{"row": 1}, {"row": 2}], "next": written((2,))}


@given(place=st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.text()))
def test_a_place_is_read_as_it_was_written(place: tuple[int, str]) -> None:
    assert place_after(written(place), int, str) == place


OTHERS: tuple[Place, ...] = (("a",), (1, 2), (True, "a"), (2**63, "a"))


@pytest.mark.parametrize(
    "after", ["", "x", "!!", "é", "W1tb" * 400, "bnVsbA==", *map(written, OTHERS)]
)
def test_what_is_no_place_is_told(after: str) -> None:
    with pytest.raises(InvalidRequest, match="use a page's 'next'"):
        place_after(after, int, str)
    assert place_after(None, int, str) is None


def test_a_row_that_is_gone_is_told() -> None:
    with pytest.raises(InvalidRequest, match="begin anew"):
        page_of_all([1], (1, written((9,))), place=lambda row: (row,), document=document)
