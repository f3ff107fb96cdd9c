"""Moments and spans as operators write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.exits import WrongUsage
from gateway.cli.times import after, before, span_us
from gateway.core.moment import iso

NOW_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_spans(text: str, seconds: int) -> None:
    assert span_us(text) == seconds * 1_000_000
    assert before(text, NOW_US) == NOW_US - seconds * 1_000_000


@pytest.mark.parametrize("text", ["7", "d", "-7d", "7 d", "7D", "1.5h", "9999999d", ""])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(WrongUsage, match="write 30m, 24h or 7d"):
        span_us(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:00Z", "2026-11-22T12:00", "2026-11-22 12:00:00+00:00",
        "2026-11-22T13:00:00+01:00", "20261122T120000Z",
    ],
)  # fmt: skip
def test_one_moment_in_many_forms(text: str) -> None:
    assert before(text, 0) == NOW_US


def test_a_day_begins_at_midnight_utc() -> None:
    assert iso(before("2026-11-22", NOW_US)) == "2026-11-22T00:00:00.000000Z"


@pytest.mark.parametrize("text", ["yesterday", "22.11.2026", "2026-13-01", "now"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(WrongUsage, match="is no moment: write 2026-11-22"):
        before(text, NOW_US)


def test_a_moment_to_come() -> None:
    assert after("90d", NOW_US) == NOW_US + 90 * 86_400 * 1_000_000
    assert iso(after("2027-01-31", NOW_US)) == "2027-01-31T00:00:00.000000Z"


@pytest.mark.parametrize("text", ["2026-11-22", "0d", "2026-11-22T12:00:00Z"])
def test_what_has_passed_does_not_come(text: str) -> None:
    with pytest.raises(WrongUsage, match="has passed"):
        after(text, NOW_US)


@given(st.integers(min_value=0, max_value=4_102_444_800_000_000))
def test_iso_and_back_is_exact(us: int) -> None:
    assert before(iso(us), 0) == us
