"""All that the official SDKs call, by Python and by Node.js, moved here by address alone.

Each errand is run twice, at the simulator itself and through the gateway, and what a program sees
of both is compared. What is bought is billed once, and nothing else is.
"""

import re
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError
from pydantic import BaseModel

from tests.fakes.nodeclient import ran
from tests.journeys.bill import assert_exact
from tests.journeys.stage import Stage
from tests.journeys.test_node import task
from tests.journeys.test_sdk import MODEL, addresses

EMBEDDING = "text-embedding-3-small"
WEATHER: dict[str, Any] = {"city": {"type": "string"}}
_ID = re.compile(r"\b([a-z]+(?:_[a-z]+)*)[_-][0-9A-Za-z]{16,}")
_NEW = {"created", "created_at", "completed_at", "encrypted_content", "obfuscation"}


class Answer(BaseModel):
    answer: str


def alike(value: Any) -> Any:
    """What a program saw, less what is new in each answer."""
    if isinstance(value, BaseModel):
        value = value.model_dump(warnings=False)
    if isinstance(value, dict):
        return {name: alike(inner) for name, inner in value.items() if name not in _NEW}
    if isinstance(value, list | tuple):
        return [alike(inner) for inner in value]
    return _ID.sub(r"\1", value) if isinstance(value, str) else value


async def all_of(stream: AsyncIterable[Any]) -> list[Any]:
    return [one async for one in stream]


async def stored(client: AsyncOpenAI) -> Any:
    first = await client.responses.create(model=MODEL, input="Hello")
    second = await client.responses.create(
        model=MODEL, input="And now?", previous_response_id=first.id
    )
    found = await client.responses.retrieve(second.id)
    again = await all_of(await client.responses.retrieve(second.id, stream=True, starting_after=2))
    asked = await all_of(client.responses.input_items.list(second.id))
    await client.responses.delete(second.id)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(second.id)
    return first, second, found, again, asked


async def background(client: AsyncOpenAI) -> Any:
    begun = await client.responses.create(model=MODEL, input="[sim: polls=3]", background=True)
    told = begun
    while told.status in {"queued", "in_progress"}:
        told = await client.responses.retrieve(begun.id)
    streamed = await client.responses.create(
        model=MODEL, input="Hello", background=True, stream=True
    )
    events = await all_of(streamed)
    resumed = await client.responses.retrieve(
        events[0].response.id, stream=True, starting_after=events[3].sequence_number
    )
    cancelled = await client.responses.create(model=MODEL, input="[sim: polls=9]", background=True)
    ended = await client.responses.cancel(cancelled.id)
    return begun, told, events, await all_of(resumed), ended.status


async def conversation(client: AsyncOpenAI) -> Any:
    begun = await client.conversations.create(metadata={"topic": "weather"})
    name = begun.id
    asked: Any = [{"type": "message", "role": "user", "content": "Hello"}]
    added = await client.conversations.items.create(name, items=asked)
    answered = await client.responses.create(model=MODEL, input="And now?", conversation=name)
    listed = await all_of(client.conversations.items.list(name, order="asc"))
    item = await client.conversations.items.retrieve(listed[0].id, conversation_id=name)
    await client.conversations.items.delete(listed[0].id, conversation_id=name)
    changed = await client.conversations.update(name, metadata={"topic": "news"})
    found = await client.conversations.retrieve(name)
    deleted = await client.conversations.delete(name)
    with pytest.raises(NotFoundError):
        await client.conversations.retrieve(name)
    return begun, added, answered, listed, item, changed, found, deleted


async def compacted(client: AsyncOpenAI) -> Any:
    first = await client.responses.create(model=MODEL, input="Hello")
    whole = await client.responses.compact(
        model=MODEL, previous_response_id=first.id, input="And more."
    )
    kept: Any = [item.model_dump(exclude_none=True, warnings=False) for item in whole.output]
    return first, whole, await client.responses.create(model=MODEL, input=kept)


async def counted(client: AsyncOpenAI) -> Any:
    return await client.responses.input_tokens.count(model=MODEL, input="Hello there")


async def chat(client: AsyncOpenAI) -> Any:
    asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    function = {"name": "weather", "parameters": {"type": "object", "properties": WEATHER}}
    tools: Any = [{"type": "function", "function": function}]
    whole = await client.chat.completions.create(**asked)
    shown = await all_of(
        await client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        )
    )
    called = await client.chat.completions.create(**asked, tools=tools, tool_choice="required")
    parsed = await client.chat.completions.parse(**asked, response_format=Answer)
    return whole, shown, called, parsed.choices[0].message.parsed


async def neighbours(client: AsyncOpenAI) -> Any:
    vectors = await client.embeddings.create(model=EMBEDDING, input=["one", "two"])
    models = await all_of(client.models.list())
    model = await client.models.retrieve(MODEL)
    moderation = await client.moderations.create(input="Hello")
    return vectors, models, model, moderation


ERRANDS: dict[str, Callable[[AsyncOpenAI], Awaitable[Any]]] = {
    one.__name__: one
    for one in (stored, background, conversation, compacted, counted, chat, neighbours)
}
BOUGHT = {
    "stored": 2,
    "background": 3,
    "conversation": 1,
    "compacted": 3,
    "counted": 0,
    "chat": 4,
    "neighbours": 1,
}


async def billed(on: Stage, before: int, served: int, errand: str) -> None:
    """So many entries as were bought, each what the simulator served."""
    entries = (await on.settled(before + BOUGHT[errand]))[before:]
    by_id = {one.response_id: one for one in on.simulator.served[served:]}
    for entry in entries:
        if entry.endpoint == "embeddings":  # they have no id
            assert (entry.input_tokens, entry.basis) == (2, "reported")
        elif entry.outcome != "cancelled":  # which was on its way, and says no usage
            assert entry.basis in {"reported", "retrieved"}
            assert_exact(entry, by_id[str(entry.response_id)], entry.basis)
    assert len({entry.response_id for entry in entries}) == len(entries)


@pytest.mark.parametrize("errand", ERRANDS)
async def test_python(shared_stage: Stage, errand: str) -> None:
    on = shared_stage
    seen, served = [], 0
    before = len(on.entries())
    for url, key in addresses(on):
        served = len(on.simulator.served)
        async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
            seen.append(alike(await ERRANDS[errand](client)))
    assert seen[1] == seen[0]
    await billed(on, before, served, errand)


async def test_node(shared_stage: Stage) -> None:
    on = shared_stage
    (url, key), (through_url, through_key) = addresses(on)
    direct = await ran([task(url, key, errand, "") for errand in ERRANDS])
    for errand, wanted in zip(ERRANDS, direct, strict=True):
        before, served = len(on.entries()), len(on.simulator.served)
        (seen,) = await ran([task(through_url, through_key, errand, "")])
        assert "value" in seen, seen
        assert alike(seen) == alike(wanted), errand
        await billed(on, before, served, errand)
