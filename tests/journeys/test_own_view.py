"""A key's own view: its tenant's bills, usage and budgets, and the cost of a whole answer."""

import asyncio
from typing import Any

import httpx

from gateway.adapters.budgets import Budgets
from gateway.adapters.policies import Policies
from gateway.core.money import PUSD_PER_USD
from tests.journeys.bill import cost_pusd
from tests.journeys.stage import TENANT, WAIT_SECONDS_MAX, Stage, body, make_key, now_us

UNKNOWN = "01a20466-cf69-7f24-b761-e10e64c6639a"


async def asked(on: Stage, path: str, key: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        return await client.get(f"{on.base_url}/gateway/{path}", headers=headers)


async def told(on: Stage, path: str, key: str) -> Any:
    answer = await asked(on, path, key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_request_has_its_bill(shared_stage: Stage) -> None:
    on = shared_stage
    answer = await on.post(body(stream=False))
    request_id = answer.headers["x-gateway-request-id"]
    bill = await told(on, f"requests/{request_id}", on.key)
    cost_usd = f"{cost_pusd(on.simulator.served[-1]) / PUSD_PER_USD:.12f}"
    assert answer.headers["x-gateway-cost-usd"] == bill["cost_usd"] == cost_usd
    assert (bill["id"], bill["tenant"], bill["response_id"]) == (
        request_id,
        TENANT,
        answer.json()["id"],
    )
    assert {line["meter"] for line in bill["lines"]} >= {"input", "output"}
    assert bill["tags"] == {"gw_agent": "python-httpx"}
    assert await told(on, f"requests/{bill['response_id']}", on.key) == bill


async def test_no_other_tenant_sees_it(shared_stage: Stage) -> None:
    on = shared_stage
    streamed = await on.post(body())
    assert "x-gateway-cost-usd" not in streamed.headers
    request_id = streamed.headers["x-gateway-request-id"]
    missing = await asked(on, f"requests/{UNKNOWN}", on.key)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    for tenant in ("acme", f"{TENANT}/ana", "beta"):
        key = make_key(on.engine, tenant)
        answer = await asked(on, f"requests/{request_id}", key)
        assert (answer.status_code, answer.content) == (404, missing.content)
    assert (await told(on, f"requests/{request_id}", make_key(on.engine)))["id"] == request_id


async def test_usage_and_budgets_are_the_tenants_own(shared_stage: Stage) -> None:
    on = shared_stage
    key = make_key(on.engine, "gamma/search")
    below = make_key(on.engine, "gamma/search/ana")
    budgets = Budgets(engine=on.engine, now_us=now_us)
    for tenant in ("gamma", "gamma/search"):
        budgets.set_budget(tenant, period="month", given={"limit_pusd": 5 * PUSD_PER_USD})
    before = await told(on, "usage", key)
    assert (before["month"]["requests"], before["month"]["cost_usd"]) == (0, "0.000000000000")
    entries = len(on.entries())
    for shown in (key, below):
        await on.post(body(), authorization=f"Bearer {shown}")
    own, _ = (await on.settled(entries + 2))[entries:]
    usage = await told(on, "usage", key)
    assert (usage["tenant"], usage["key_id"]) == ("gamma/search", own.key_id)
    assert own.cost_pusd is not None
    for window in ("today", "month"):
        assert usage[window]["requests"] == 1
        assert usage[window]["cost_usd"] == f"{own.cost_pusd / PUSD_PER_USD:.12f}"
    (budget,) = usage["budgets"]
    assert (budget["subject"], budget["period"], budget["held_usd"]) == (
        "gamma/search",
        "month",
        "0.000000000000",
    )
    spent_pusd = sum(entry.cost_pusd or 0 for entry in on.entries()[entries:])
    assert budget["spent_usd"] == f"{spent_pusd / PUSD_PER_USD:.12f}"


async def test_looking_counts_among_the_requests_of_a_minute(shared_stage: Stage) -> None:
    on = shared_stage
    key = make_key(on.engine, "delta")
    policies = Policies(engine=on.engine, now_us=now_us)
    policies.change("delta", given={"requests_per_minute_max": 2})
    async with asyncio.timeout(WAIT_SECONDS_MAX):  # until the change is heard of
        while (answer := await asked(on, "usage", key)).status_code == 200:
            pass
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_nothing_of_it_goes_upstream(shared_stage: Stage) -> None:
    on = shared_stage
    seen = len(on.simulator.requests)
    for path in ("usage", f"requests/{UNKNOWN}", "requests", "requests/", "", "others"):
        assert (await asked(on, path, on.key)).status_code in (200, 404), path
    assert (await asked(on, "usage", "gw_wrong")).status_code == 401
    assert len(on.simulator.requests) == seen
