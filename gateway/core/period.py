"""The periods of a budget: days, weeks and months of a time zone, as moments.

A period begins at its first day's local midnight: the first one where a clock set back brings two,
the moment of the jump where a clock set forward leaves it out. Not here: which periods a budget has
had, or what is spent in them.
"""

import difflib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

TOTAL, DAY, WEEK, MONTH = PERIODS = ("total", "day", "week", "month")

# From a period's first day, these lead into the next period.
_DAYS = {DAY: 1, WEEK: 7, MONTH: 31}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From the start, up to the end and without it, in Unix microseconds; `total` has no end."""

    start_us: int
    end_us: int | None


def period_at(kind: str, zone: str, at_us: int, *, after_us: int | None = None) -> Period:
    """The period that contains a moment. ValueError: there is no such kind, or no such zone.

    `after_us` is where the budget's last period ended: the next one begins no earlier, so that they
    meet even if the zone or its rules have changed since.
    """
    if kind not in PERIODS:
        raise ValueError(f"{kind!r} is no period; there are {', '.join(PERIODS)}")
    clock = _clock(zone)
    if kind == TOTAL:
        return Period(start_us=0, end_us=None)
    if after_us is not None:
        at_us = max(at_us, after_us)
    edges = _edges(kind, clock, at_us)
    following = bisect_right(edges, at_us)
    start_us = edges[following - 1]
    if after_us is not None:
        start_us = max(start_us, after_us)
    return Period(start_us=start_us, end_us=edges[following])


def known_zone(zone: str) -> str:
    """The zone itself when every machine knows it; ValueError, with a suggestion, when not."""
    zones = available_timezones() - {"localtime"}  # which is another one on each machine
    if zone in zones:
        return zone
    close = difflib.get_close_matches(zone, zones, n=1, cutoff=0.5)
    said = f"did you mean {close[0]!r}?" if close else "write it as Europe/Berlin or UTC"
    raise ValueError(f"there is no time zone {zone!r}; {said}")


def _clock(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(
            f"there is no time zone {zone!r}; write it as Europe/Berlin or UTC"
        ) from None


def _edges(kind: str, clock: ZoneInfo, at_us: int) -> list[int]:
    """Where periods begin around a moment.

    Its date alone does not tell its period: after a clock was set back from just past midnight, it
    reads the day before once more.
    """
    today = (_EPOCH + at_us * _US).astimezone(clock).date()
    first = _first_day(kind, today)
    following = _first_day(kind, first + timedelta(days=_DAYS[kind]))
    days = (
        _first_day(kind, first - timedelta(days=1)),
        first,
        following,
        _first_day(kind, following + timedelta(days=_DAYS[kind])),
    )
    return [(datetime.combine(day, time(), clock) - _EPOCH) // _US for day in days]


def _first_day(kind: str, day: date) -> date:
    if kind == WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind == MONTH else day
