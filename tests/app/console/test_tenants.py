"""Keys and tenants: the tree adds up, and the policy in force names its origin."""

import re
from datetime import UTC, datetime

from gateway.adapters.directory import Directory
from gateway.adapters.reports import entries
from gateway.core.money import to_usd
from tests.app.console.conftest import Month
from tests.journeys.stage import now_us


async def test_a_tenant_s_cost_is_its_own_and_that_of_all_below(month: Month) -> None:
    begin = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = entries(month.engine, since_us=round(begin.timestamp() * 1e6), limit=100_000)
    told = []
    for tenant in Directory(engine=month.engine, now_us=now_us).list_tenants():
        own = sum(row.cost_pusd or 0 for row in rows if row.tenant == tenant.path)
        below = sum(row.cost_pusd or 0 for row in rows if row.tenant.startswith(f"{tenant.path}/"))
        told += [to_usd(own), to_usd(own + below)]
    assert await month.figures("/console/tenants") == told


async def test_the_policy_in_force_says_whose_word_it_is(month: Month) -> None:
    key = Directory(engine=month.engine, now_us=now_us).list_keys("acme/search/ana")[0]
    csv = await month.text(f"/console/tenants/{key.id}?csv=policy")
    assert csv.splitlines()[1:] == [
        'models,"gpt-5.4, gpt-5-mini, gpt-6-sol",acme/search',
        "max_output_tokens_cap,64000,acme/search",
        "store,deny,acme",
    ]


async def test_a_key_shows_no_secret(month: Month) -> None:
    key = Directory(engine=month.engine, now_us=now_us).list_keys()[0]
    text = await month.text(f"/console/tenants/{key.id}")
    assert re.search(r"gw_[0-9A-Za-z]{12}_", text) is None
    assert key.name in text
