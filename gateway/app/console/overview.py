"""Overview: what was spent today and this month, where it is heading, and what needs a look."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.adapters import reports
from gateway.adapters.attention import Signs, signs
from gateway.adapters.budgets import Budgets
from gateway.adapters.standings import Standing
from gateway.adapters.views import COUNTS, usage_facts
from gateway.app.console.page import (
    SPANS_DAYS,
    Asked,
    Page,
    Sources,
    Table,
    begin_of_span,
    day_us,
)
from gateway.core.pace import DAY_US, begin_us, pace

GROUPS = ("tenant", "model", "key")
GROUPS_SHOWN_MAX = 6
REST = "all others"
NEAR_PERCENT = 80
_COLUMN_OF = {"tenant": "tenant", "model": "model", "key": "key_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that needs a look, and where that is had."""

    level: str  # bad, or warn
    text: str
    address: str


def overview(sources: Sources, asked: Asked) -> Page:
    """The page."""
    now_us, tenant = sources.now_us(), asked.tenant
    span = asked.one_of("span", ("30d", *SPANS_DAYS))
    group = asked.one_of("by", GROUPS)
    since_us = begin_of_span(span, now_us)
    month_us, end_us = _month(now_us)
    known = reports.usage(
        sources.engine,
        by=("day", group),
        since_us=min(since_us, month_us, begin_us(now_us)),
        tenant=tenant,
    )
    rows = [row for row in known if day_us(row.day) >= since_us]
    days = _days(known)
    spent = sum(pusd for at_us, pusd in days.items() if at_us >= month_us)
    speed = pace(days, now_us)
    groups = _groups(rows, _COLUMN_OF[group])
    return Page(
        template="overview.html",
        facts={
            "today_pusd": days[now_us // DAY_US * DAY_US],
            "month_pusd": spent,
            "projected_pusd": spent + speed.in_us(end_us - now_us),
            "pace": speed,
            "month_us": month_us,
            "span": span,
            "spans": list(SPANS_DAYS),
            "by": group,
            "groups": groups,
            "total_pusd": sum(row.cost_pusd for row in rows),
            "chart": _chart(rows, _COLUMN_OF[group], list(groups), since_us, now_us),
            "notices": list(_notices(sources, asked, now_us)),
            "is_empty": not rows,
        },
        tables={
            "days": lambda: _table(rows, ("day", _COLUMN_OF[group])),
            "groups": lambda: _table(
                reports.usage(sources.engine, by=(group,), since_us=since_us, tenant=tenant),
                (_COLUMN_OF[group],),
            ),
        },
    )


def _days(rows: list[reports.UsageRow]) -> Counter[int]:
    """What each day cost, by its first moment."""
    days: Counter[int] = Counter()
    for row in rows:
        days[day_us(row.day)] += row.cost_pusd
    return days


def _groups(rows: list[reports.UsageRow], column: str) -> dict[str, dict[str, int]]:
    """The dearest, the dearest first, and the rest as one."""
    costs: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for row in rows:
        name = str(getattr(row, column))
        costs[name] += row.cost_pusd
        requests[name] += row.requests
    ordered = sorted(costs, key=lambda name: (-costs[name], name))
    shown, rest = ordered[:GROUPS_SHOWN_MAX], ordered[GROUPS_SHOWN_MAX:]
    found = {name: {"cost_pusd": costs[name], "requests": requests[name]} for name in shown}
    if rest:
        found[REST] = {
            "cost_pusd": sum(costs[name] for name in rest),
            "requests": sum(requests[name] for name in rest),
        }
    return found


def _chart(
    rows: list[reports.UsageRow], column: str, names: list[str], since_us: int, now_us: int
) -> dict[str, object]:
    """Days and, for each name, what each of them cost. Numbers to be drawn, not to be counted."""
    days = list(range(since_us, now_us + 1, DAY_US))
    place = {at_us: index for index, at_us in enumerate(days)}
    series = {name: [0.0] * len(days) for name in names}
    for row in rows:
        name = str(getattr(row, column))
        at = place[day_us(row.day)]
        series[name if name in series else REST][at] += row.cost_pusd / 1e12
    return {
        "kind": "days",
        "x": [at_us // 1_000_000 for at_us in days],
        "series": [{"label": name, "values": values} for name, values in series.items()],
    }


def _table(rows: list[reports.UsageRow], groups: tuple[str, ...]) -> Table:
    columns = (*groups, *COUNTS, "cost_usd", "unpriced_requests")
    told = [
        [*(getattr(row, group) for group in groups), *usage_facts(row).values()] for row in rows
    ]
    return Table(columns=columns, rows=told)


def _notices(sources: Sources, asked: Asked, now_us: int) -> Iterator[Notice]:
    """The worst first."""
    budgets = Budgets(engine=sources.engine, now_us=sources.now_us).list_budgets()
    seen = [one for one in budgets if asked.viewer.sees(one.tenant)]
    found = signs(sources.engine, tenant=asked.viewer.tenant, now_us=now_us)
    yield from sorted([*_of_budgets(seen), *_of_signs(found)], key=lambda one: one.level != "bad")


def _of_budgets(seen: list[Standing]) -> Iterator[Notice]:
    for one in seen:
        account, place = one.account, f"/console/budgets/{one.budget.id}"
        used = account.spent_pusd + account.held_pusd
        if account.excess_pusd:
            yield Notice(
                level="bad", text=f"The budget of {one.budget.subject} was exceeded", address=place
            )
        elif used * 100 >= NEAR_PERCENT * account.limit_pusd:
            share = used * 100 // account.limit_pusd if account.limit_pusd else 100
            yield Notice(
                level="bad" if account.left_pusd == 0 else "warn",
                text=f"{one.budget.subject} has used {share} % of its budget ({one.budget.name})",
                address=place,
            )


def _of_signs(found: Signs) -> Iterator[Notice]:
    if found.refused:
        text = f"{found.refused:,} {_times(found.refused)} refused for money in the last hour"
        yield Notice(level="warn", text=text, address="/console/budgets#refused")
    if found.unpriced:
        text = (
            f"{found.unpriced:,} {_times(found.unpriced)} without a price: their holds stay spent"
        )
        yield Notice(level="bad", text=text, address="/console/requests?outcome=unpriced")
    if found.broken:
        text = f"{found.broken:,} of the last {found.seen:,} requests failed or broke off"
        yield Notice(level="warn", text=text, address="/console/requests?outcome=broken")
    if found.untold:
        text = f"{found.untold:,} alerts have not reached their webhook"
        yield Notice(level="warn", text=text, address="/console/budgets")


def _times(number: int) -> str:
    return "request was" if number == 1 else "requests were"


def _month(now_us: int) -> tuple[int, int]:
    """The first moment of this month and of the next, in UTC."""
    begin = datetime.fromtimestamp(now_us // 1_000_000, UTC).replace(
        day=1, hour=0, minute=0, second=0
    )
    end = (begin + timedelta(days=32)).replace(day=1)
    return int(begin.timestamp()) * 1_000_000, int(end.timestamp()) * 1_000_000
