"""Months, and the ids of requests that were made in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.proxy import RequestIds
from gateway.core.month import Month

NOVEMBER = Month(2026, 11)
MONTHS = st.builds(Month, st.integers(1971, 2200), st.integers(1, 12))


def test_reading_and_writing() -> None:
    assert Month.read("2026-11") == NOVEMBER
    assert str(NOVEMBER) == "2026-11"
    for text in ("2026-13", "2026-00", "0000-01", "2026-1", "26-11", "2026-11-01", ""):
        with pytest.raises(ValueError, match="write 2026-11"):
            Month.read(text)


@given(MONTHS, st.integers(-600, 600), st.integers(-600, 600))
def test_months_add_up(month: Month, some: int, more: int) -> None:
    assert month.plus(some).plus(more) == month.plus(some + more)
    assert (month.plus(some) < month) == (some < 0)


@given(MONTHS)
def test_months_tile_time(month: Month) -> None:
    after = month.plus(1)
    assert Month.at(month.start_us) == month
    assert Month.at(after.start_us - 1) == month
    assert Month.at(after.start_us) == after


@given(MONTHS, st.integers(0, 2**40), st.sampled_from([-1, 0, 1]))
def test_an_id_is_in_the_range_of_its_month(month: Month, within: int, edge: int) -> None:
    at_ms = month.start_us // 1000 + (edge if edge < 1 else within)
    name = RequestIds().new(at_ms * 1_000_000)
    made = Month.at(at_ms * 1000)
    assert made.first_id < name < made.plus(1).first_id
