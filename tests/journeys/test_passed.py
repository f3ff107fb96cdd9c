"""Requests that cost nothing pass as they come, through the official SDK too; no entry is made."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from openai import AsyncOpenAI, NotFoundError

from gateway.adapters import schema
from tests.fakes import ledgerview
from tests.journeys.bill import assert_exact
from tests.journeys.stage import Stage, body, stage


@pytest.fixture(scope="module")
def on(shared_stage: Stage) -> Stage:
    return shared_stage


@pytest.fixture
async def sdk(on: Stage) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=on.key, base_url=on.base_url, max_retries=0) as client:
        yield client


async def stored(on: Stage, text: str = "Hello") -> str:
    """The id of a response that the upstream keeps."""
    return str((await on.post(body(text, stream=False))).json()["id"])


async def test_a_stored_response_is_read_counted_and_deleted(on: Stage, sdk: AsyncOpenAI) -> None:
    name = await stored(on)
    before = len(on.entries())
    found = await sdk.responses.retrieve(name, include=["reasoning.encrypted_content"])
    assert (found.id, found.status) == (name, "completed")
    counted = await sdk.responses.input_tokens.count(model="gpt-5-mini", input="Hello")
    assert counted.input_tokens > 0
    await sdk.responses.delete(name)
    with pytest.raises(NotFoundError):
        await sdk.responses.retrieve(name)
    assert len(on.entries()) == before
    assert ledgerview.rows(on.engine, schema.hold) == []


async def test_a_conversation_is_kept_upstream_and_its_responses_are_metered(
    on: Stage, sdk: AsyncOpenAI
) -> None:
    before = len(on.entries())
    made = await sdk.conversations.create(metadata={"topic": "demo"})
    said = await sdk.responses.create(model="gpt-5-mini", input="Hello", conversation=made.id)
    items = [item async for item in await sdk.conversations.items.list(made.id)]
    assert [item.type for item in items] == ["message", "message"]
    name = str(items[0].to_dict()["id"])
    await sdk.conversations.items.retrieve(name, conversation_id=made.id)
    await sdk.conversations.items.delete(name, conversation_id=made.id)
    assert (await sdk.conversations.update(made.id, metadata={})).metadata == {}
    found = [item async for item in await sdk.responses.input_items.list(said.id)]
    assert [item.type for item in found] == ["message"]
    assert (await sdk.conversations.delete(made.id)).deleted
    (entry,) = (await on.settled(before + 1))[-1:]
    assert entry.response_id == said.id


async def test_a_compaction_is_metered_as_a_response_is(on: Stage, sdk: AsyncOpenAI) -> None:
    before = len(on.entries())
    story = "a long story " * 40
    told = await sdk.responses.compact(model="gpt-5-mini", input=story)
    entry = (await on.settled(before + 1))[-1]
    assert_exact(entry, on.simulator.served[-1])
    assert (entry.response_id, entry.input_tokens) == (told.id, told.usage.input_tokens)
    assert entry.hold_pusd >= (entry.cost_pusd or 0) > 0


async def test_it_passes_byte_for_byte_with_its_query(on: Stage) -> None:
    name = await stored(on)
    path = f"/responses/{name}?stream=true&starting_after=3&include_obfuscation=false"
    upstream = {"authorization": "Bearer sk-upstream"}
    async with on.client() as client, httpx.AsyncClient(trust_env=False) as direct:
        passed = await client.get(on.base_url + path)
        told = await direct.get(on.simulator.base_url + path, headers=upstream)
    assert passed.content == told.content
    assert passed.headers["content-type"] == told.headers["content-type"]
    assert "x-gateway-request-id" in passed.headers
    seen = [one for one in on.simulator.requests if one.query == path.partition("?")[2]]
    assert {one.header("authorization") for one in seen} == {"Bearer sk-upstream"}


async def test_what_is_passed_counts_as_a_request_of_its_route(tmp_path: Path) -> None:
    async with stage(tmp_path) as on, on.client() as client:
        assert (await client.get(f"{on.base_url}/responses/resp_none")).status_code == 404
        told = (await client.get(f"http://127.0.0.1:{on.port}/metrics")).text
        route = 'method="GET",route="/v1/responses/{response_id}",status="404"'
        assert f"gateway_http_requests_total{{{route}}} 1.0" in told
