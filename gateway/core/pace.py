"""How fast money is spent, and what that comes to if it goes on. Pure; whole picodollars.

Not here: what was spent (`adapters.reports`), or what may be (`budget`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

DAY_US = 86_400_000_000
SPAN_US = 7 * DAY_US  # of which the pace is the mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So much was spent in so much time. Times are microseconds."""

    spent_pusd: int
    span_us: int

    @property
    def day_pusd(self) -> int:
        """What it is a day."""
        return self.spent_pusd * DAY_US // self.span_us

    def in_us(self, span_us: int) -> int:
        """What is spent in a span at this pace."""
        return self.spent_pusd * max(0, span_us) // self.span_us

    def time_us(self, left_pusd: int) -> int | None:
        """How long so much lasts; None: for ever."""
        return left_pusd * self.span_us // self.spent_pusd if self.spent_pusd > 0 else None


def begin_us(now_us: int) -> int:
    """Since when the pace is taken: days count whole, in UTC."""
    return (now_us - SPAN_US) // DAY_US * DAY_US


def pace(days: Mapping[int, int], now_us: int) -> Pace:
    """The pace since `begin_us`, or since the first spending after it; of an hour at least.

    `days` are the costs of days, by their first moments.
    """
    recent = {at_us: pusd for at_us, pusd in days.items() if at_us >= begin_us(now_us) and pusd}
    begun_us = min(recent, default=now_us)
    spent_pusd = max(0, sum(recent.values()))
    return Pace(spent_pusd=spent_pusd, span_us=max(now_us - begun_us, DAY_US // 24))
