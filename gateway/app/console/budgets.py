"""Budgets: what is spent, held and left of each, how it burns down, and who is refused and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.adapters import reports
from gateway.adapters.budgets import Budgets
from gateway.adapters.refusals import Refusal, newest_refusals
from gateway.adapters.standings import Standing
from gateway.adapters.views import budget_facts
from gateway.app.console.page import Asked, Page, Sources, Table, day_us, table_of
from gateway.core.budget import Account
from gateway.core.errors import NotFound
from gateway.core.moment import iso
from gateway.core.money import to_usd
from gateway.core.pace import DAY_US, SPAN_US, Pace, begin_us, pace
from gateway.core.price_book import PriceBook

REFUSALS_MAX = 50
_HOURS = 24
_REFUSED = ("at", "id", "tenant", "key_id", "model", "code", "hold_usd", "message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """A budget and where it is heading."""

    standing: Standing
    pace: Pace
    projected_pusd: int | None  # at the period's end; None: it has none
    runs_out_us: int | None  # a moment before the period's end; None: it does not

    @property
    def account(self) -> Account:
        return self.standing.account


def budgets(sources: Sources, asked: Asked) -> Page:
    """All that are seen."""
    now_us, tenant = sources.now_us(), asked.tenant
    rows = _used(sources, tenant, begin_us(now_us))
    shown = [
        _burning(one, _spending(rows, one, asked.book), now_us) for one in _seen(sources, asked)
    ]
    refused = newest_refusals(sources.engine, tenant=tenant, limit=REFUSALS_MAX)
    return Page(
        template="budgets.html",
        facts={"budgets": shown, "refusals": refused},
        tables={
            "budgets": lambda: _table(shown),
            "refused": lambda: _refused(refused),
        },
    )


def budget(sources: Sources, asked: Asked) -> Page:
    """One of them. Raises NotFound."""
    now_us = sources.now_us()
    found = [one for one in _seen(sources, asked) if one.budget.id == asked.name]
    if not found:
        raise NotFound("There is no such budget here: it may have ended.")
    standing = found[0]
    start_us = standing.account.period_start_us
    is_total = standing.account.period_end_us is None
    since_us = begin_us(now_us) if is_total else min(start_us, begin_us(now_us))
    days = _spending(_used(sources, standing.tenant, since_us), standing, asked.book)
    burning = _burning(standing, days, now_us)
    refused = newest_refusals(sources.engine, tenant=standing.tenant, limit=REFUSALS_MAX)
    subject = standing.budget.subject
    shown = [one for one in refused if subject in (standing.tenant, one.key_id)]
    return Page(
        template="budget.html",
        facts={
            "one": burning,
            "refusals": shown,
            "now_us": now_us,
            "chart": _chart(burning, days, now_us),
            "days": sorted(days.items(), reverse=True),
        },
        tables={
            "days": lambda: Table(
                columns=("day", "cost_usd"),
                rows=[(iso(at_us)[:10], to_usd(pusd)) for at_us, pusd in sorted(days.items())],
            ),
            "refused": lambda: _refused(shown),
        },
    )


def _seen(sources: Sources, asked: Asked) -> list[Standing]:
    every = Budgets(engine=sources.engine, now_us=sources.now_us).list_budgets()
    return [one for one in every if asked.wants(one.tenant)]


def _is_within(tenant: str, path: str) -> bool:
    return tenant == path or tenant.startswith(f"{path}/")


def _used(sources: Sources, tenant: str | None, since_us: int) -> list[reports.UsageRow]:
    groups = ("day", "tenant", "key", "model")
    return reports.usage(sources.engine, by=groups, since_us=since_us, tenant=tenant)


def _spending(
    rows: Iterable[reports.UsageRow], standing: Standing, book: PriceBook
) -> dict[int, int]:
    """What counts in a budget, by the first moments of days."""
    names = _priced_names(book, standing)
    is_key = standing.budget.subject != standing.tenant
    days: dict[int, int] = {}
    for row in rows:
        is_its = (
            row.key_id == standing.budget.subject
            if is_key
            else _is_within(str(row.tenant), standing.tenant)
        )
        if is_its and (names is None or row.model in names):
            days[day_us(row.day)] = days.get(day_us(row.day), 0) + row.cost_pusd
    return days


def _priced_names(book: PriceBook, standing: Standing) -> set[str] | None:
    """A budget's models as the hours know them; None: all."""
    if standing.budget.models is None:
        return None
    cards = (card for name in standing.budget.models for card in book.cards_of(name))
    return {*standing.budget.models, *(card.name for card in cards)}


def _burning(standing: Standing, days: dict[int, int], now_us: int) -> Burning:
    account, speed = standing.account, pace(days, now_us)
    end_us = account.period_end_us
    lasts_us = speed.time_us(max(0, account.limit_pusd - account.spent_pusd))
    runs_out_us = None if lasts_us is None else now_us + lasts_us
    is_in_time = runs_out_us is not None and (end_us is None or runs_out_us < end_us)
    return Burning(
        standing=standing,
        pace=speed,
        projected_pusd=None
        if end_us is None
        else account.spent_pusd + speed.in_us(end_us - now_us),
        runs_out_us=runs_out_us if is_in_time else None,
    )


def _chart(burning: Burning, days: dict[int, int], now_us: int) -> dict[str, object]:
    """What was left at the end of each day, and where that leads. Numbers to be drawn."""
    account = burning.account
    end_us = account.period_end_us
    start_us = min(days, default=now_us) if end_us is None else account.period_start_us
    spent = sorted((at_us, pusd) for at_us, pusd in days.items() if at_us + DAY_US > start_us)
    left_pusd = account.limit_pusd - account.spent_pusd + sum(pusd for _, pusd in spent)
    points = [(start_us, left_pusd)]
    for at_us, pusd in spent:
        left_pusd -= pusd
        points.append((min(max(at_us + DAY_US, start_us), now_us), left_pusd))
    last_us = end_us or now_us + SPAN_US
    ahead_us = min(last_us, burning.runs_out_us or last_us)
    ahead_pusd = left_pusd - burning.pace.in_us(ahead_us - now_us)
    x = sorted({at_us for at_us, _ in points} | {now_us, ahead_us, last_us})
    left = dict(points) | {now_us: left_pusd}
    going = {now_us: left_pusd, ahead_us: max(0, ahead_pusd)}
    return {
        "kind": "burn",
        "x": [at_us / 1e6 for at_us in x],
        "series": [
            {"label": "left", "values": [_usd(left.get(at_us)) for at_us in x]},
            {"label": "projected", "values": [_usd(going.get(at_us)) for at_us in x]},
        ],
    }


def _usd(pusd: int | None) -> float | None:
    return None if pusd is None else pusd / 1e12


def _table(shown: Sequence[Burning]) -> Table:
    records = [
        {
            **budget_facts(one.standing),
            "spent_a_day_usd": to_usd(one.pace.day_pusd),
            "projected_usd": None if one.projected_pusd is None else to_usd(one.projected_pusd),
            "runs_out_at": None if one.runs_out_us is None else iso(one.runs_out_us),
        }
        for one in shown
    ]
    return table_of(records, list(records[0]) if records else ["subject"])


def _refused(refusals: Iterable[Refusal]) -> Table:
    return Table(
        columns=_REFUSED,
        rows=[
            (
                iso(one.at_us),
                one.request_id,
                one.tenant,
                one.key_id,
                one.model,
                one.code,
                to_usd(one.hold_pusd),
                one.message,
            )
            for one in refusals
        ],
    )
