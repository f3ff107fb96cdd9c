"""Periods: they tile time, whatever a zone's clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones, reset_tzpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.period import PERIODS, Period, known_zone, period_at

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"localtime"})
# Clocks that jump at, to or just past midnight are where periods go wrong.
ODD = ["Africa/Cairo", "America/Havana", "America/Scoresbysund", "Asia/Beirut", "Asia/Gaza"]


def us(moment: str) -> int:
    return (datetime.fromisoformat(moment) - EPOCH) // timedelta(microseconds=1)


def local(zone: str, at_us: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))


kinds = st.sampled_from(["day", "week", "month"])
zones = st.sampled_from(ZONES) | st.sampled_from(ODD)
moments = st.integers(us("2020-01-01T00:00Z"), us("2035-12-31T00:00Z"))


@given(kinds, zones, moments)
def test_periods_tile_time(kind: str, zone: str, at_us: int) -> None:
    found = period_at(kind, zone, at_us)
    assert found.end_us is not None
    assert found.start_us <= at_us < found.end_us
    for inside in (found.start_us, found.start_us + 1, found.end_us - 1):
        assert period_at(kind, zone, inside) == found
    assert period_at(kind, zone, found.end_us).start_us == found.end_us
    assert period_at(kind, zone, found.start_us - 1).end_us == found.start_us


@given(kinds, zones, moments)
def test_a_period_begins_with_its_first_day(kind: str, zone: str, at_us: int) -> None:
    start_us = period_at(kind, zone, at_us).start_us
    first, before = local(zone, start_us), local(zone, start_us - 1)
    assert first.date() > before.date()
    assert kind != "week" or first.weekday() == 0
    assert kind != "month" or first.day == 1


@given(kinds, zones, zones, moments, moments)
def test_a_changed_zone_leaves_no_gap(
    kind: str, before: str, after: str, at_us: int, later_us: int
) -> None:
    end_us = period_at(kind, before, at_us).end_us
    assert end_us is not None
    found = period_at(kind, after, later_us, after_us=end_us)
    assert found.end_us is not None
    assert end_us <= found.start_us <= max(end_us, later_us) < found.end_us
    assert found.end_us == period_at(kind, after, max(end_us, later_us)).end_us
    following = period_at(kind, after, end_us, after_us=end_us)
    assert following.start_us == end_us


# Each edge with daylight saving near it: the moment at which a period ends and the next begins.
EDGES = [
    ("day", "America/Sao_Paulo", "2018-11-04T03:00Z"),  # 00:00 was left out
    ("day", "America/Sao_Paulo", "2018-02-18T03:00Z"),  # 23:00 came twice the evening before
    ("day", "Asia/Beirut", "2026-03-28T22:00Z"),  # 00:00 is left out
    ("day", "Asia/Beirut", "2026-10-24T22:00Z"),
    ("day", "Africa/Cairo", "2026-04-23T22:00Z"),  # 00:00 is left out
    ("day", "Africa/Cairo", "2026-10-29T22:00Z"),
    ("day", "America/Havana", "2026-03-08T05:00Z"),  # 00:00 is left out
    ("day", "America/Havana", "2026-11-01T04:00Z"),  # 00:00 comes twice: the first
    ("day", "Pacific/Apia", "2011-12-30T10:00Z"),  # a whole day was left out
    ("day", "America/St_Johns", "2010-11-07T02:30Z"),  # set back at 00:01, into the day before
    ("day", "Europe/Berlin", "2026-03-29T22:00Z"),
    ("week", "America/New_York", "2026-11-02T05:00Z"),
    ("week", "Europe/Berlin", "2026-10-25T23:00Z"),
    ("month", "Africa/Cairo", "2026-10-31T22:00Z"),
    ("month", "Australia/Lord_Howe", "2026-10-31T13:00Z"),  # half an hour of daylight saving
]


@pytest.mark.parametrize(("kind", "zone", "edge"), EDGES)
def test_the_second_before_and_after_an_edge(kind: str, zone: str, edge: str) -> None:
    edge_us = us(edge)
    before = period_at(kind, zone, edge_us - 1_000_000)
    after = period_at(kind, zone, edge_us + 1_000_000)
    assert before.end_us == edge_us == after.start_us
    assert period_at(kind, zone, edge_us - 1) == before
    assert period_at(kind, zone, edge_us) == after


@pytest.mark.parametrize(
    ("kind", "zone", "at", "hours"),
    [
        ("day", "America/Havana", "2026-03-08T12:00Z", 23),
        ("day", "America/Havana", "2026-11-01T12:00Z", 25),
        ("day", "America/St_Johns", "2010-11-07T02:31Z", 25),  # reads the day before once more
        ("day", "Pacific/Apia", "2011-12-30T09:59Z", 24),
        ("day", "Pacific/Apia", "2011-12-30T10:00Z", 24),
        ("week", "Europe/Berlin", "2026-10-25T12:00Z", 7 * 24 + 1),
        ("month", "Europe/Berlin", "2026-10-25T12:00Z", 31 * 24 + 1),
        ("month", "UTC", "2028-02-29T23:59Z", 29 * 24),
    ],
)
def test_a_period_is_as_long_as_its_clock_says(kind: str, zone: str, at: str, hours: int) -> None:
    found = period_at(kind, zone, us(at))
    assert found.end_us is not None
    assert found.end_us - found.start_us == hours * 3_600_000_000


def test_a_clock_that_jumps_over_midnight_from_before_it() -> None:
    zone, jump_us = "America/Toronto", us("1919-03-31T04:30Z")  # 23:30 became 00:30
    for at_us in (jump_us, us("1919-03-31T05:00Z") - 1):
        found = period_at("day", zone, at_us)
        assert found == Period(start_us=us("1919-03-30T05:00Z"), end_us=us("1919-03-31T05:00Z"))
    assert period_at("day", zone, us("1919-03-31T05:00Z")).start_us == found.end_us


def test_a_total_has_no_end() -> None:
    assert period_at("total", "Asia/Tokyo", us("2026-11-22T12:00Z")) == Period(
        start_us=0, end_us=None
    )


@pytest.mark.parametrize(
    ("kind", "zone", "words"),
    [
        ("year", "UTC", "'year' is no period; there are total, day, week, month"),
        ("day", "Berlin", "no time zone 'Berlin'; write it as Europe/Berlin or UTC"),
        ("total", "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("day", "../etc/passwd", "no time zone"),
        ("day", "", "no time zone ''"),
    ],
)
def test_what_there_is_not(kind: str, zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        period_at(kind, zone, 0)


def test_a_zone_that_every_machine_knows() -> None:
    assert known_zone("Asia/Kolkata") == "Asia/Kolkata"
    assert known_zone("UTC") == "UTC"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("berlin", "no time zone 'berlin'; did you mean 'Europe/Berlin'?"),
        ("localtime", "no time zone 'localtime'"),
        ("right/UTC", "no time zone 'right/UTC'"),
        ("nowhere at all", "write it as Europe/Berlin or UTC"),
    ],
)
def test_a_zone_that_is_none(zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        known_zone(zone)


def test_every_kind_has_a_period_now() -> None:
    for kind in PERIODS:
        assert period_at(kind, "UTC", us("2026-11-22T12:00Z")).start_us <= us("2026-11-22T12:00Z")


def test_a_machine_without_zone_files_has_ours() -> None:
    try:
        reset_tzpath(to=())
        ZoneInfo.clear_cache()
        noon_us = us("2026-07-01T12:00Z")
        found = period_at("day", "Europe/Berlin", noon_us)
    finally:
        reset_tzpath()
        ZoneInfo.clear_cache()
    assert found.start_us == us("2026-06-30T22:00Z")
