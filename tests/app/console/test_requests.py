"""Requests: pages without gap or repeat, filters that do what they say, and one bill exactly."""

import re

from gateway.adapters.reports import entries
from gateway.core.money import to_usd
from tests.app.console.conftest import Month

LINK = re.compile(r'href="/console/requests/([^"?]+)"')
OLDER = re.compile(r'href="([^"]+)" rel="next"')


async def walked(month: Month, path: str) -> list[str]:
    """The requests of all pages."""
    found: list[str] = []
    while path:
        text = await month.text(path)
        found += LINK.findall(text)
        older = OLDER.search(text)
        path = older[1].replace("&amp;", "&") if older else ""
    return found


async def test_all_pages_together_are_the_ledger(month: Month) -> None:
    rows = entries(month.engine, tenant="acme/search", limit=100_000)
    assert await walked(month, "/console/requests?tenant=acme/search") == [
        row.request_id for row in rows
    ]


async def test_filters_are_kept_from_page_to_page(month: Month) -> None:
    rows = entries(month.engine, tenant="acme", limit=100_000)
    wanted = [
        row.request_id for row in rows if row.model == "gpt-5.4" and row.outcome == "incomplete"
    ]
    address = "/console/requests?tenant=acme&model=gpt-5.4&outcome=incomplete"
    assert await walked(month, address) == wanted
    assert 'value="gpt-5.4"' in await month.text(address)
    csv = await month.text(f"{address}&csv=requests")
    assert [line.split(",")[0] for line in csv.splitlines()[1:]] == wanted


async def test_what_is_not_there_says_what_to_do(month: Month) -> None:
    assert "Clear the filters" in await month.text("/console/requests?model=none")


async def test_a_bill_is_its_entry_line_by_line(month: Month) -> None:
    row = next(one for one in entries(month.engine) if "gw_policy" in one.tags)
    path = f"/console/requests/{row.request_id}"
    shown = await month.figures(path)
    for line in row.lines:
        assert to_usd(line.cost_pusd) in shown
        assert to_usd(line.unit_price_pusd) in shown
    assert to_usd(row.cost_pusd or 0) in shown
    assert to_usd(row.hold_pusd) in shown
    text = await month.text(path)
    assert "max_output_tokens=64000 (was 128000)" in text
    assert "counts in the hard budget" in text
    assert (await month.on.get("/console/requests/nobody")).status_code == 404
