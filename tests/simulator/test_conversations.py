"""Conversations, as the official SDK uses them."""

import openai
import pytest

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call


async def test_a_conversation_from_its_beginning_to_its_end(sim: Simulator) -> None:
    async with openai.AsyncOpenAI(base_url=sim.base_url, api_key="any", max_retries=0) as sdk:
        made = await sdk.conversations.create(
            items=[{"type": "message", "role": "user", "content": "one"}], metadata={"a": "1"}
        )
        assert (await sdk.conversations.retrieve(made.id)).metadata == {"a": "1"}
        changed = await sdk.conversations.update(made.id, metadata={"b": "2"})
        assert changed.metadata == {"b": "2"}

        said = await sdk.responses.create(model="gpt-5.6", input="two", conversation=made.id)
        assert said.conversation is not None
        assert said.conversation.id == made.id
        more = await sdk.responses.create(model="gpt-5.6", input="two", conversation=made.id)
        assert said.usage is not None
        assert more.usage is not None
        assert more.usage.input_tokens == said.usage.input_tokens + said.usage.total_tokens

        items = [item async for item in await sdk.conversations.items.list(made.id, order="asc")]
        assert [item.type for item in items] == ["message"] * 5
        added = await sdk.conversations.items.create(
            made.id, items=[{"type": "message", "role": "user", "content": "three"}]
        )
        name = added.data[0].id
        assert name is not None
        one = await sdk.conversations.items.retrieve(name, conversation_id=made.id)
        assert one == added.data[0]
        await sdk.conversations.items.delete(name, conversation_id=made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.conversations.items.retrieve(name, conversation_id=made.id)

        await sdk.conversations.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.conversations.retrieve(made.id)


async def test_the_sdk_compacts(sim: Simulator) -> None:
    async with openai.AsyncOpenAI(base_url=sim.base_url, api_key="any", max_retries=0) as sdk:
        told = await sdk.responses.compact(model="gpt-5.6", input="a long story")
        assert [item.type for item in told.output] == ["message", "compaction"]
        (served,) = sim.served
        assert (told.id, told.usage.to_dict()) == (served.response_id, served.usage)
        with pytest.raises(openai.InternalServerError):
            await sdk.responses.compact(model="gpt-5.6", input="[sim: status=500]")


async def test_what_is_not_there(sim: Simulator) -> None:
    made = (await call(sim.base_url, "POST", "/v1/conversations", {})).json["id"]
    for method, path in (("GET", ""), ("GET", "/conv_none"), ("GET", f"/{made}/elsewhere")):
        reply = await call(sim.base_url, method, f"/v1/conversations{path}")
        assert reply.status == 404
