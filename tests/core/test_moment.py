"""Moments as they are written: exact to the microsecond."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.moment import iso, iso_or_none

NOW_US = 1_795_348_800_000_000


@given(st.integers(min_value=0, max_value=4 * 10**15))
def test_what_is_written_is_read_as_the_same_moment(us: int) -> None:
    read = datetime.fromisoformat(iso(us))
    assert int(read.timestamp()) * 1_000_000 + read.microsecond == us


def test_what_did_not_happen_has_no_moment() -> None:
    assert iso_or_none(None) is None
    assert iso_or_none(NOW_US) == "2026-11-22T12:00:00.000000Z"
