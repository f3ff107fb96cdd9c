"""What each tenant spent today and this month, in UTC, for the gauges that every scrape reads.

A month of many tenants is millions of hours of usage, so the days before today are read once a
minute: what is learned of them later shows then. Today is read each time. Not here: any other sum
of the ledger (`reports`).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine, func, select

from gateway.adapters import schema

EARLIER_SECONDS_MAX = 60.0  # so long what the month's other days came to may be told again
_SPLIT = 10**9  # sums are joined here: SQLite's own fails beyond 64 bits


class CostTotals:
    """Asked by one thread at a time. Sums are exact, in picodollars."""

    def __init__(
        self,
        *,
        engine: Engine,
        now_us: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._now_us = now_us
        self._clock = clock
        self._earlier: dict[str, int] = {}
        self._earlier_of: tuple[int, int] | None = None  # from which hour until before which
        self._read_at = 0.0

    def __call__(self) -> dict[tuple[str, str], int]:
        """Every tenant's own cost by `today` and `month`, zero where there was none."""
        now = datetime.fromtimestamp(self._now_us() // 1_000_000, tz=UTC)
        midnight = now.replace(hour=0, minute=0, second=0)
        month, today = _hour(midnight.replace(day=1)), _hour(midnight)
        if self._earlier_of != (month, today) or self._is_old():
            self._earlier = self._costs(month, today)
            self._earlier_of, self._read_at = (month, today), self._clock()
        of_today, earlier = self._costs(today), self._earlier
        totals: dict[tuple[str, str], int] = {}
        for path in dict.fromkeys([*self._tenants(), *earlier, *of_today]):
            totals[path, "today"] = of_today.get(path, 0)
            totals[path, "month"] = of_today.get(path, 0) + earlier.get(path, 0)
        return totals

    def _is_old(self) -> bool:
        return self._clock() > self._read_at + EARLIER_SECONDS_MAX

    def _tenants(self) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(select(schema.tenant.c.path)))

    def _costs(self, since_hour: int, until_hour: int | None = None) -> dict[str, int]:
        table = schema.usage_hour.c
        parts = (func.sum(table.cost_pusd // _SPLIT), func.sum(table.cost_pusd % _SPLIT))
        query = select(table.tenant, *parts).where(table.hour >= since_hour).group_by(table.tenant)
        if until_hour is not None:
            query = query.where(table.hour < until_hour)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {tenant: int(whole) * _SPLIT + int(rest) for tenant, whole, rest in rows}


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 // schema.HOUR_US
