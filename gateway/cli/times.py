"""Moments and spans as operators write them: `2026-11-22`, `2026-11-22T08:00Z`, `7d`, `24h`, `30m`.

Moments are Unix microseconds; a time without a zone is UTC. Not here: the clock, which is given.
"""

import re
from datetime import datetime

from gateway.cli.exits import WrongUsage
from gateway.core.moment import us_of

_US = 1_000_000
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,6})([smhdw])\Z")


def span_us(text: str) -> int:
    """A span such as `7d` or `30m`."""
    match = _SPAN.match(text)
    if match is None:
        raise WrongUsage(f"{text!r} is no span of time: write 30m, 24h or 7d")
    return int(match[1]) * _UNIT_SECONDS[match[2]] * _US


def before(text: str, now_us: int) -> int:
    """A moment; a span counts back from now."""
    return now_us - span_us(text) if _SPAN.match(text) else moment(text)


def after(text: str, now_us: int) -> int:
    """A moment to come; a span counts on from now."""
    at_us = now_us + span_us(text) if _SPAN.match(text) else moment(text)
    if at_us <= now_us:
        raise WrongUsage(f"{text!r} has passed: give a moment to come, or a span such as 90d")
    return at_us


def moment(text: str) -> int:
    """A moment as it is written."""
    try:
        return us_of(datetime.fromisoformat(text))
    except ValueError:
        raise WrongUsage(
            f"{text!r} is no moment: write 2026-11-22, 2026-11-22T08:00:00Z or a span such as 7d"
        ) from None
