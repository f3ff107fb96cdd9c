"""Pace: what seven days say of the days to come, in whole picodollars."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.pace import DAY_US, Pace, begin_us, pace
from tests.builders import AT_US

NOON_US = AT_US
TODAY_US = AT_US // DAY_US * DAY_US


def test_a_steady_spending_goes_on() -> None:
    days = {TODAY_US - back * DAY_US: 100 for back in range(8)}
    found = pace(days, NOON_US)
    assert (found.spent_pusd, found.span_us) == (800, 7 * DAY_US + DAY_US // 2)
    assert (found.day_pusd, found.in_us(3 * DAY_US), found.in_us(-5)) == (106, 320, 0)
    assert found.time_us(1600) == 15 * DAY_US


def test_what_is_older_does_not_count_and_a_late_beginning_does() -> None:
    days = {TODAY_US - 8 * DAY_US: 10**6, TODAY_US - DAY_US: 30, TODAY_US - 2 * DAY_US: 0}
    assert pace(days, NOON_US) == Pace(spent_pusd=30, span_us=DAY_US * 3 // 2)
    assert begin_us(NOON_US) == TODAY_US - 7 * DAY_US


def test_without_spending_nothing_runs_out() -> None:
    found = pace({}, NOON_US)
    assert (found.day_pusd, found.time_us(5), found.span_us) == (0, None, DAY_US // 24)


@given(st.dictionaries(st.integers(0, 9), st.integers(-(10**15), 10**18)), st.integers(0, 10**19))
def test_what_lasts_so_long_is_spent_by_then(spent: dict[int, int], left_pusd: int) -> None:
    found = pace({TODAY_US - back * DAY_US: pusd for back, pusd in spent.items()}, NOON_US)
    lasts_us = found.time_us(left_pusd)
    if lasts_us is not None:
        assert found.in_us(lasts_us) <= left_pusd
