"""Moments as they are written: ISO 8601 out of Unix microseconds. Not here: the clock."""

from datetime import UTC, datetime

_US = 1_000_000


def iso(us: int) -> str:
    """A moment as ISO 8601 in UTC with microseconds."""
    seconds, rest = divmod(us, _US)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def us_of(at: datetime) -> int:
    """A moment in Unix microseconds; without a zone it is UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(aware.timestamp()) * _US + aware.microsecond


def iso_or_none(us: int | None) -> str | None:
    """The same for what may not have happened."""
    return None if us is None else iso(us)
