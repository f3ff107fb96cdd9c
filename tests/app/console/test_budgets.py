"""Budgets: bars, burn-down and refusals say what the ledger says."""

from gateway.adapters.budgets import Budgets
from gateway.adapters.reports import entries
from gateway.core.money import to_usd
from tests.app.console.conftest import Month
from tests.journeys.stage import now_us

DAY_US = 86_400_000_000


async def test_each_budget_shows_its_account(month: Month) -> None:
    shown = await month.figures("/console/budgets")
    for one in Budgets(engine=month.engine, now_us=now_us).list_budgets():
        account = one.account
        for pusd in (account.left_pusd, account.limit_pusd, account.spent_pusd, account.held_pusd):
            assert to_usd(pusd) in shown, one.budget.subject


async def test_a_budget_burns_down_by_the_days_of_its_entries(month: Month) -> None:
    standing = next(
        one
        for one in Budgets(engine=month.engine, now_us=now_us).list_budgets()
        if one.budget.subject == "acme"
    )
    days: dict[int, int] = {}
    begin_us = min(standing.account.period_start_us, (now_us() // DAY_US - 7) * DAY_US)
    for row in entries(month.engine, tenant="acme", limit=100_000):
        if row.created_at_us >= begin_us:
            day = row.created_at_us // DAY_US
            days[day] = days.get(day, 0) + (row.cost_pusd or 0)
    page = f"/console/budgets/{standing.budget.id}"
    lines = (await month.text(f"{page}?csv=days")).splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == [to_usd(days[day]) for day in sorted(days)]
    assert (await month.figures(page))[0] == to_usd(standing.account.spent_pusd)


async def test_a_budget_that_runs_out_says_when(month: Month) -> None:
    text = await month.text("/console/budgets?csv=budgets")
    rows = {line.split(",")[0]: line.split(",") for line in text.splitlines()}
    assert rows["acme/search"][-1].startswith("20"), "a total budget runs out some day"
    assert rows["acme"][-2] != "", "a month's has a projected end"


async def test_who_was_refused_is_told_with_the_reason(month: Month) -> None:
    text = await month.text("/console/budgets")
    assert text.count("/console/requests/01931refused-") == 4
    page = await month.text("/console/requests/01931refused-0")
    assert "input ≤ 12,400 tokens from its bytes" in page
