"""Budgets over real sockets, with real SDKs: what is left is told, and never passed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.policies import Policies
from gateway.adapters.refusals import find_refusal
from gateway.adapters.standings import Standing
from gateway.core.money import PUSD_PER_USD
from tests.fakes.nodeclient import ran
from tests.journeys.held import patience
from tests.journeys.stage import TENANT, Stage, body, now_us, stage, until
from tests.journeys.test_node import task

MODEL = "gpt-6-sol"
CHAT_USD_MIN = 24
CHAT_TOKENS_MAX = 80_000


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with patience(), stage(tmp_path) as one:
        yield one


def set_budget(on: Stage, limit_pusd: int, subject: str = "acme", *, is_hard: bool = True) -> None:
    budgets = Budgets(engine=on.engine, now_us=now_us)
    given = Given(limit_pusd=limit_pusd, is_hard=is_hard)
    budgets.set_budget(subject, period="month", given=given)


def set_policy(on: Stage, **given: object) -> None:
    Policies(engine=on.engine, now_us=now_us).change("acme", given=given)


def standing(on: Stage) -> Standing:
    (found,) = Budgets(engine=on.engine, now_us=now_us).list_budgets("acme")
    return found


async def hold_of(on: Stage, **fields: Any) -> int:
    """What is held for a request."""
    await on.post(body(**fields))
    return (await on.settled(1))[0].hold_pusd


def refusals(on: Stage) -> list[str]:
    """The codes of what was refused."""
    with on.engine.connect() as connection:
        return list(connection.scalars(select(schema.refusal.c.code)))


def client(on: Stage, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=on.base_url, api_key=on.key, **options)


async def test_a_spent_budget_is_told_as_the_api_tells_it(on: Stage) -> None:
    set_budget(on, 1000)
    answer = await on.post(body(max_output_tokens=100))
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    assert 0 < int(answer.headers["retry-after"]) <= 31 * 86_400
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "the budget of acme (a month) has 0.000000001000 USD left" in error["message"]
    assert not on.simulator.requests
    request_id = answer.headers["x-gateway-request-id"]
    await until(lambda: find_refusal(on.engine, request_id) is not None)
    refusal = find_refusal(on.engine, request_id)
    assert refusal is not None
    assert refusal.message == error["message"]
    assert any("output \u2264 100 tokens" in reason for reason in refusal.reasons)


async def test_python_does_not_retry_what_is_spent(on: Stage) -> None:
    set_budget(on, 1000)
    async with client(on, max_retries=5) as sdk:
        with pytest.raises(openai.RateLimitError) as refused:
            await sdk.responses.create(model=MODEL, input="hi")
    assert refused.value.code == "insufficient_quota"
    await until(lambda: bool(refusals(on)))
    assert refusals(on) == ["insufficient_quota"]


async def test_python_retries_what_is_held_and_then_succeeds(on: Stage) -> None:
    fields: dict[str, Any] = {"model": MODEL, "max_output_tokens": 2000}
    set_budget(on, round(1.5 * await hold_of(on, **fields)))
    slow = asyncio.ensure_future(on.post(body("[sim: delay=4000]", **fields)))
    await until(lambda: standing(on).account.held_pusd > 0)
    async with client(on, max_retries=5) as sdk:
        answer = await sdk.responses.create(input="hi", **fields)
    assert answer.status == "completed"
    assert (await slow).status_code == 200
    assert set(refusals(on)) == {"budget_held"}


async def test_node_retries_what_is_held_and_not_what_is_spent(on: Stage) -> None:
    fields: dict[str, Any] = {"model": "gpt-5-mini", "stream": False}
    hold_pusd = await hold_of(on, **fields)
    set_budget(on, round(1.5 * hold_pusd))
    slow = asyncio.ensure_future(on.post(body("[sim: delay=4000]", **fields)))
    await until(lambda: standing(on).account.held_pusd > 0)
    asked = {**task(on.base_url, on.key, "create", "hi", "gpt-5-mini"), "retries": 5}
    (held,) = await ran([asked])
    assert held["value"]["status"] == "completed"
    await slow
    set_budget(on, 1)
    (spent,) = await ran([asked])
    assert (spent["error"], spent["code"]) == ("RateLimitError", "insufficient_quota")


async def test_a_burst_spends_no_more_than_the_limit(on: Stage) -> None:
    fields: dict[str, Any] = {"model": MODEL, "max_output_tokens": 500}
    hold_pusd = await hold_of(on, **fields)
    set_budget(on, 5 * hold_pusd)
    answers = await asyncio.gather(*(on.post(body(str(n), **fields)) for n in range(60)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {200, 429}
    await until(lambda: standing(on).account.held_pusd == 0)
    account = standing(on).account
    assert 0 < account.spent_pusd <= account.limit_pusd
    assert account.excess_pusd == 0
    entries = on.entries()[1:]
    assert sum(entry.cost_pusd or 0 for entry in entries) == account.spent_pusd
    assert len(entries) == codes.count(200)


async def test_output_is_fitted_to_what_is_left(on: Stage) -> None:
    fields: dict[str, Any] = {"model": MODEL, "max_output_tokens": 4000}
    set_budget(on, (await hold_of(on, **fields)) // 2)
    set_policy(on, fit="clamp")
    await until_policy(on, "fit")
    answer = await on.post(body(**fields))
    assert answer.status_code == 200
    sent = json.loads(on.simulator.requests[-1].body)["max_output_tokens"]
    assert 16 <= sent < 4000
    assert answer.headers["x-gateway-policy"] == f"max_output_tokens={sent} (was 4000)"


async def test_an_input_is_counted_where_its_bytes_do_not_fit(on: Stage) -> None:
    fields: dict[str, Any] = {"model": MODEL, "max_output_tokens": 16}
    text = "a word and another " * 2000
    await on.post(body(text, **fields))
    (entry,) = await on.settled(1)
    set_budget(on, entry.hold_pusd // 2)
    set_policy(on, input_count="upstream")
    await until_policy(on, "input_count")
    answer = await on.post(body(text, **fields))
    assert answer.status_code == 200
    assert on.simulator.requests[-2].target.endswith("/responses/input_tokens")
    assert (await on.settled(2))[1].hold_pusd < entry.hold_pusd // 2


async def test_what_has_no_bound_is_refused_under_a_hard_budget(on: Stage) -> None:
    fields: dict[str, Any] = {"tools": [{"type": "web_search"}]}
    assert (await on.post(body(**fields))).status_code == 200
    set_budget(on, 1000 * PUSD_PER_USD)
    refused = await on.post(body(**fields))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unbounded_cost")
    assert "send 'max_tool_calls'" in refused.json()["error"]["message"]
    assert (await on.post(body(**fields, max_tool_calls=1))).status_code == 200
    set_budget(on, 1000 * PUSD_PER_USD, is_hard=False)
    assert (await on.post(body(**fields))).status_code == 200


async def test_as_many_as_may_be_are_open_at_once(on: Stage) -> None:
    set_policy(on, concurrent_max=2)
    await until_policy(on, "concurrent_max")
    slow = [asyncio.ensure_future(on.post(body("[sim: delay=3000]"))) for _ in range(2)]
    await until(lambda: len(on.simulator.requests) == 2)
    refused = await on.post(body())
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "concurrency_exceeded")
    assert refused.headers["x-should-retry"] == "true"
    assert [(await one).status_code for one in slow] == [200, 200]
    await on.settled(2)
    assert (await on.post(body())).status_code == 200


async def until_policy(on: Stage, field: str) -> None:
    """Policies are followed within seconds; what is asked before that is none of a test's."""
    del on, field
    await asyncio.sleep(1)


async def test_a_chat_is_not_refused_before_its_budget_is_nearly_spent(on: Stage) -> None:
    set_policy(on, max_output_tokens_default=4096)
    await until_policy(on, "max_output_tokens_default")
    set_budget(on, 25 * PUSD_PER_USD, TENANT)
    async with client(on, max_retries=0) as sdk:
        with pytest.raises(openai.RateLimitError) as refused:
            await chat(sdk)
    assert refused.value.code == "insufficient_quota"
    spent_pusd = sum(entry.cost_pusd or 0 for entry in on.entries())
    assert CHAT_USD_MIN * PUSD_PER_USD <= spent_pusd <= 25 * PUSD_PER_USD


async def chat(sdk: AsyncOpenAI) -> None:
    """Turns that each continue the one before, and from time to time begin anew; without end."""
    previous: str | None = None
    while True:
        said = "[sim: output=4000] " + "tell me more " * 400
        answer = await sdk.responses.create(
            model=MODEL, input=said, previous_response_id=previous or openai.omit
        )
        assert answer.usage is not None
        previous = answer.id if answer.usage.input_tokens < CHAT_TOKENS_MAX else None
