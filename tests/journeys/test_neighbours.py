"""What apps call beside the Responses API, by the official SDK moved here by its base URL alone.

Chat completions and embeddings are held, metered and policed as responses are; models are shown by
policy; moderations pass.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from gateway.adapters.budgets import Budgets
from gateway.adapters.policies import Policies
from tests.journeys.bill import assert_all_exact, assert_exact
from tests.journeys.held import patience
from tests.journeys.stage import Stage, make_key, now_us, stage, until

MODEL = "gpt-5-mini"
EMBEDDING = "text-embedding-3-small"
CHAT = "/chat/completions"
# What needs no second look by anybody, wherever names of ours stand in it.
EVERYTHING: Any = {
    "audio": {"voice": "alloy", "format": "mp3"},
    "functions": [{"name": "f", "parameters": {"properties": {"id": {}, "prompt": {}}}}],
    "logit_bias": {"50256": -100},
    "metadata": {"id": "x", "file_id": "y"},
    "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]},
    "prompt_cache_key": "k",
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"id": 1}}},
    "safety_identifier": "user-1",
    "stop": ["\n"],
    "user": "u",
    "verbosity": "low",
}
POLICIES: dict[str, dict[str, object]] = {
    "ruled": {
        "models": (MODEL,),
        "max_output_tokens_cap": 20,
        "over": "clamp",
        "store": "deny",
    },
    "shown": {"models": (MODEL, "gpt-4o")},
}


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One gateway for all tests; each counts what it adds."""
    async with patience(), stage(tmp_path_factory.mktemp("gateway")) as one:
        for tenant, given in POLICIES.items():
            make_key(one.engine, tenant)
            Policies(engine=one.engine, now_us=now_us).change(tenant, given=given)
        yield one


def said(text: str = "Hello") -> list[Any]:
    return [{"role": "user", "content": text}]


def asked(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": said(text), **fields}


def sdk(on: Stage, key: str = "") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=on.base_url, api_key=key or on.key, max_retries=0)


async def posted(on: Stage, path: str, body: dict[str, Any]) -> bytes:
    async with on.client() as client:
        answer = await client.post(f"{on.base_url}{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_completions_are_metered_as_they_were_served(on: Stage) -> None:
    before, served = len(on.entries()), len(on.simulator.served)
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    async with sdk(on) as client:
        create = client.chat.completions.create
        whole = await create(**asked(n=3))
        assert len(whole.choices) == 3
        called = await create(**asked("weather?", tools=[tool]))
        calls = called.choices[0].message.model_dump(exclude_none=True)
        result = {"role": "tool", "tool_call_id": calls["tool_calls"][0]["id"], "content": "sun"}
        turn = [*said("weather?"), calls, result]
        await create(model=MODEL, messages=turn, tools=[tool], **EVERYTHING)
        await create(**asked(max_tokens=5))
        await create(**asked(service_tier="priority", reasoning_effort="low"))
        stream = await create(**asked(stream=True))
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None, "its extra chunk is shown"
        async with client.chat.completions.stream(**asked("weather", tools=[tool])) as helper:
            await helper.get_final_completion()
    entries = (await on.settled(before + 7))[before:]
    assert_all_exact(entries, on.simulator.served[served:])
    assert {entry.endpoint for entry in entries} == {"chat.completions"}
    assert [entry.outcome for entry in entries].count("incomplete") == 1
    assert {entry.reason for entry in entries} == {None, "max_output_tokens"}


async def test_a_model_that_searches_is_billed_one_search(on: Stage) -> None:
    before = len(on.entries())
    async with sdk(on) as client:
        await client.chat.completions.create(**asked(model="gpt-4o-search-preview"))
    (entry,) = (await on.settled(before + 1))[before:]
    fees = {line.meter: (line.quantity, line.cost_pusd) for line in entry.lines}
    assert fees["web_search"] == (1, 25_000_000_000)
    assert entry.cost_pusd == sum(line.cost_pusd for line in entry.lines) <= entry.hold_pusd


async def test_embeddings_are_metered(on: Stage) -> None:
    before = len(on.entries())
    async with sdk(on) as client:
        made = await client.embeddings.create(model=EMBEDDING, input=["one", "two"] * 50)
        await client.embeddings.create(model=EMBEDDING, input=[1, 2, 3], dimensions=8)
    assert len(made.data) == 100
    entries = (await on.settled(before + 2))[before:]
    assert [(one.endpoint, one.input_tokens, one.output_tokens, one.basis) for one in entries] == [
        ("embeddings", 100, 0, "reported"),
        ("embeddings", 3, 0, "reported"),
    ]
    assert [one.cost_pusd for one in entries] == [100 * 20_000, 3 * 20_000]
    assert all(one.hold_pusd >= (one.cost_pusd or 0) for one in entries)


async def test_a_stream_is_asked_for_its_usage_and_its_client_may_be_spared_it(
    on: Stage, tmp_path: Path
) -> None:
    body = asked(stream=True, stream_options={"include_obfuscation": False})
    shown = await posted(on, CHAT, body)
    sent = json.loads(on.simulator.requests[-1].body)
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert {**sent, "stream_options": body["stream_options"]} == body
    settings = {"endpoints": {"chat_usage": "left_out"}}
    async with patience(), stage(tmp_path, **settings) as sparing:
        for how in ("", "[sim: split=1]", "[sim: crlf; comment; split=random:7]"):
            spared = await posted(sparing, CHAT, {**body, "messages": said(how)})
            told = shown_usage(spared)
            assert told == 0, spared
            assert spared.rstrip().endswith(b"data: [DONE]")
        told_anyway = asked(stream=True, stream_options={"include_usage": True})
        assert shown_usage(await posted(sparing, CHAT, told_anyway)) == 1
        assert_all_exact(await sparing.settled(4), sparing.simulator.served)
    assert shown_usage(shown) == 1


def shown_usage(stream: bytes) -> int:
    """How many events tell the usage."""
    events = [line[6:] for line in stream.splitlines() if line.startswith(b"data: {")]
    return sum(json.loads(event).get("usage") is not None for event in events)


@pytest.mark.parametrize(
    ("how", "outcome", "basis"),
    [
        ("cut=300", "aborted", "worst_case"),
        ("cut=terminal", "completed", "reported"),  # only [DONE] was lost, after the usage
        ("reset=400", "aborted", "worst_case"),
        ("no_terminal", "completed", "reported"),
        ("usage=null", "completed", "worst_case"),
        ("kind=failed; when=after", "failed", "worst_case"),
        ("kind=failed", "failed", "none"),
    ],
)
async def test_what_goes_wrong_has_one_entry_and_is_never_free(
    on: Stage, how: str, outcome: str, basis: str
) -> None:
    before = len(on.entries())
    async with sdk(on) as client:
        stream = await client.chat.completions.create(**asked(f"[sim: {how}]", stream=True))
        try:
            async for _ in stream:
                pass
        except (openai.APIError, httpx.HTTPError):
            pass
    (entry,) = (await on.settled(before + 1))[before:]
    assert (entry.outcome, entry.basis) == (outcome, basis)
    if basis == "worst_case":
        assert entry.cost_pusd == entry.hold_pusd > 0
    elif basis == "reported":
        assert_exact(entry, on.simulator.served[-1])


async def test_a_stored_completion_that_broke_off_is_asked_for(on: Stage) -> None:
    before = len(on.entries())
    body = asked("[sim: reset=600]", stream=True, store=True)
    async with on.client() as client:
        with pytest.raises(httpx.HTTPError):
            await client.post(f"{on.base_url}{CHAT}", json=body)
    (entry,) = (await on.settled(before + 1))[before:]
    assert_exact(entry, on.simulator.served[-1], "retrieved")


async def test_what_was_spoken_is_its_hearers(on: Stage) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    message = {"role": "assistant", "content": None, "audio": {"id": "audio_1", "data": "AAAA"}}
    told = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage}
    on.simulator.replay(
        json.dumps(told).encode(), content_type="application/json", path="/v1/chat/completions"
    )
    await posted(on, CHAT, asked())
    again = {**asked(), "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}, *said()]}
    await posted(on, CHAT, again)
    async with sdk(on, make_key(on.engine, "stranger")) as client:
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(**again)


async def test_a_client_that_leaves_is_billed_what_it_used(on: Stage) -> None:
    before = len(on.entries())
    async with on.client() as client:
        body = asked("[sim: slow=5; output=60]", stream=True)
        async with client.stream("POST", f"{on.base_url}{CHAT}", json=body) as answer:
            await anext(answer.aiter_raw())
    (entry,) = (await on.settled(before + 1))[before:]
    assert entry.client_gone
    assert_exact(entry, on.simulator.served[-1])


async def test_a_policy_rules_chat_as_it_rules_responses(on: Stage) -> None:
    async with sdk(on, make_key(on.engine, "ruled")) as client:
        create = client.chat.completions.with_raw_response.create
        raw = await create(**asked(max_tokens=50))
        assert raw.headers["x-gateway-policy"] == "max_tokens=20 (was 50)"
        assert raw.parse().choices[0].finish_reason == "length"
        raw = await create(**asked())
        assert raw.headers["x-gateway-policy"] == "max_completion_tokens=20"
        for fields, param in (
            ({"model": "gpt-4o"}, "model"),
            ({"store": True}, "store"),
            ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
            ({"model": "gpt-no-price"}, "model"),
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                await create(**asked(**fields))
            assert refused.value.param == param
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(model=EMBEDDING, input="x")


async def test_a_hard_budget_holds_chat_and_embeddings(on: Stage) -> None:
    key = make_key(on.engine, "poor")
    budgets = Budgets(engine=on.engine, now_us=now_us)
    budgets.set_budget("poor", period="total", given={"limit_pusd": 10**9})
    async with sdk(on, key) as client:
        create = client.chat.completions.create
        await create(**asked(max_completion_tokens=30))
        await client.embeddings.create(model=EMBEDDING, input="x")
        with pytest.raises(openai.RateLimitError):
            await create(**asked(max_completion_tokens=30, n=100))
        with pytest.raises(openai.BadRequestError) as refused:
            await create(**asked(modalities=["text", "audio"], max_completion_tokens=30))
        assert refused.value.code == "unbounded_cost"
        assert "modalities" in refused.value.message
    (standing,) = budgets.list_budgets("poor")
    spent = sum(entry.cost_pusd or 0 for entry in on.entries() if entry.tenant == "poor")
    await until(lambda: budgets.list_budgets("poor")[0].account.held_pusd == 0)
    assert standing.account.spent_pusd == spent > 0


async def test_models_are_those_that_the_policy_allows(on: Stage) -> None:
    async with sdk(on) as everybody, sdk(on, make_key(on.engine, "shown")) as client:
        listed = [model.id async for model in everybody.models.list()]
        assert len(listed) > 4
        assert [model.id async for model in client.models.list()] == [MODEL, "gpt-4o"]
        assert (await client.models.retrieve(MODEL)).id == MODEL
        with pytest.raises(openai.NotFoundError) as missing:
            await client.models.retrieve("gpt-4.1")
        assert missing.value.code == "model_not_found"
        assert (await everybody.models.retrieve("gpt-4.1")).id == "gpt-4.1"
    async with on.client() as client:
        straight = await client.get(
            f"{on.simulator.base_url}/models", headers={"authorization": "Bearer sk-upstream"}
        )
        assert (await client.get(f"{on.base_url}/models")).content == straight.content


async def test_moderations_pass_and_leave_no_entry(on: Stage) -> None:
    before = len(on.entries())
    async with sdk(on) as client:
        verdict = await client.moderations.create(input=["fine", "flag me"])
    assert [one.flagged for one in verdict.results] == [False, True]
    assert len(on.entries()) == before


async def test_what_is_not_served_says_what_is(on: Stage) -> None:
    async with sdk(on) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            await client.completions.create(model=MODEL, prompt="x")
    assert "/v1/chat/completions" in missing.value.message
