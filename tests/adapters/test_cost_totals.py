"""What tenants spent today and this month: exact, in UTC, and cheap to ask again."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.cost_totals import EARLIER_SECONDS_MAX, CostTotals
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from tests.builders import AT_US

MONTH_US = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAY_US = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
TODAY, YESTERDAY = DAY_US // schema.HOUR_US, DAY_US // schema.HOUR_US - 1
HUGE = 9 * 10**18


def spend(engine: Engine, hour: int, cost_pusd: int, key: str = "k") -> None:
    counts = dict.fromkeys(
        ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
         "reasoning_tokens", "unpriced"),
        0,
    )  # fmt: skip
    row = {"hour": hour, "tenant": "acme", "key_id": key, "model": "m", "service_tier": ""}
    with write_transaction(engine) as connection:
        connection.execute(
            insert(schema.usage_hour).values(**row, requests=1, cost_pusd=cost_pusd, **counts)
        )


@pytest.mark.parametrize("offset_us", [0, 86_400_000_000 - 1])
def test_totals_are_of_the_day_and_month_in_utc(engine: Engine, offset_us: int) -> None:
    Directory(engine=engine, now_us=lambda: AT_US).create_tenant("acme/a")
    spend(engine, MONTH_US // schema.HOUR_US - 1, 1)
    spend(engine, MONTH_US // schema.HOUR_US, 10)
    spend(engine, YESTERDAY, 100)
    spend(engine, TODAY, 1000)
    assert CostTotals(engine=engine, now_us=lambda: DAY_US + offset_us)() == {
        ("acme", "today"): 1000,
        ("acme", "month"): 1110,
        ("acme/a", "today"): 0,
        ("acme/a", "month"): 0,
    }


def test_sums_beyond_64_bits_are_exact(engine: Engine) -> None:
    for key in "abc":
        spend(engine, YESTERDAY, HUGE + 1, key)
    totals = CostTotals(engine=engine, now_us=lambda: DAY_US)()
    assert totals["acme", "month"] == 3 * HUGE + 3


def test_the_days_before_are_asked_once_a_minute_and_today_each_time(engine: Engine) -> None:
    seconds = [0.0]
    totals = CostTotals(engine=engine, now_us=lambda: DAY_US, clock=lambda: seconds[0])
    assert totals() == {}
    spend(engine, YESTERDAY, 10)
    spend(engine, TODAY, 1)
    assert totals() == {("acme", "today"): 1, ("acme", "month"): 1}
    seconds[0] = EARLIER_SECONDS_MAX + 1
    assert totals() == {("acme", "today"): 1, ("acme", "month"): 11}


def test_at_midnight_today_becomes_one_of_the_days_before(engine: Engine) -> None:
    now_us = [DAY_US - 1]
    totals = CostTotals(engine=engine, now_us=lambda: now_us[0], clock=lambda: 0.0)
    totals()
    spend(engine, YESTERDAY, 10)
    now_us[0] = DAY_US
    assert totals() == {("acme", "today"): 0, ("acme", "month"): 10}
