"""Overview: each figure is the ledger's, to the picodollar."""

from datetime import UTC, datetime

from gateway.adapters.reports import UsageRow, entries
from gateway.app.console.overview import REST, _groups
from gateway.core.money import to_usd
from tests.app.console.conftest import Month
from tests.journeys.stage import now_us

DAY_US = 86_400_000_000


async def test_today_and_this_month_are_what_the_entries_come_to(month: Month) -> None:
    now = datetime.now(UTC)
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begins = (now.replace(hour=0, minute=0, second=0, microsecond=0), begin)
    rows = entries(month.engine, limit=100_000)
    sums = [
        sum(row.cost_pusd or 0 for row in rows if row.created_at_us >= at.timestamp() * 1e6)
        for at in begins
    ]
    assert (await month.figures("/console"))[:2] == [to_usd(pusd) for pusd in sums]


async def test_each_group_is_what_its_entries_come_to(month: Month) -> None:
    since_us = (now_us() // DAY_US - 29) * DAY_US
    rows = [row for row in entries(month.engine, limit=100_000) if row.created_at_us >= since_us]
    for by, name_of in (("tenant", "tenant"), ("model", "priced_model"), ("key", "key_id")):
        costs: dict[str, int] = {}
        for row in rows:
            name = str(getattr(row, name_of))
            costs[name] = costs.get(name, 0) + (row.cost_pusd or 0)
        told = sorted(costs.values(), reverse=True)
        shown = (await month.figures(f"/console?by={by}"))[-len(told) - 1 :]
        assert shown == [to_usd(pusd) for pusd in (*told, sum(told))], by


async def test_what_needs_a_look_is_told(month: Month) -> None:
    text = await month.text("/console")
    assert "4 requests were refused for money in the last hour" in text
    assert "acme/search has used" in text


async def test_an_empty_ledger_says_what_to_do(month: Month) -> None:
    assert "gateway keys create" in await month.text("/console?tenant=acme/nobody")


def test_of_many_groups_the_rest_is_one() -> None:
    rows = [
        UsageRow(tenant=f"t{n}", requests=1, input_tokens=0, cached_tokens=0, cache_write_tokens=0,
                 output_tokens=0, reasoning_tokens=0, cost_pusd=n, unpriced=0)
        for n in range(9)
    ]  # fmt: skip
    groups = _groups(rows, "tenant")
    assert list(groups) == ["t8", "t7", "t6", "t5", "t4", "t3", REST]
    assert groups[REST] == {"cost_pusd": 0 + 1 + 2, "requests": 3}
