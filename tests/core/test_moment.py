"""Moments as they are written: exact to the microsecond."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.moment import iso, iso_or_none, us_of

NOW_US = 1_795_348_800_000_000


@given(st.integers(min_value=0, max_value=4 * 10**15))
def test_what_is_written_is_read_as_the_same_moment(us: int) -> None:
    assert us_of(datetime.fromisoformat(iso(us))) == us


def test_without_a_zone_it_is_utc() -> None:
    assert us_of(datetime(2026, 11, 22, 12)) == NOW_US  # noqa: DTZ001 - that is what is tried
    assert us_of(datetime.fromisoformat("2026-11-22T13:00:00+01:00")) == NOW_US


def test_what_did_not_happen_has_no_moment() -> None:
    assert iso_or_none(None) is None
    assert iso_or_none(NOW_US) == "2026-11-22T12:00:00.000000Z"
