"""A completion says what a response to the same request would: the SDK reads both."""

from typing import Any

import openai
import pytest

from gateway.simulator.chat import as_response
from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call
from tests.simulator.test_api import City, client

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


def said(text: str) -> list[Any]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


async def test_whole_and_streamed_say_and_count_the_same(sim: Simulator) -> None:
    async with client(sim) as sdk:
        asked: dict[str, Any] = {"model": "gpt-5.6", "messages": said("Hello"), "n": 2}
        whole = await sdk.chat.completions.create(**asked)
        stream = await sdk.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        )
        texts, usage = ["", ""], None
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert usage == whole.usage
    assert usage is not None
    assert usage.completion_tokens == 2 * 24
    first, second = sim.served
    assert first.response_id == whole.id
    assert first.usage == second.usage
    assert first.is_complete
    assert second.is_complete


async def test_the_usage_is_told_where_it_is_asked_for(sim: Simulator) -> None:
    asked = {"model": "gpt-5.6", "messages": said("Hello"), "stream": True}
    bare = await call(sim.base_url, "POST", "/v1/chat/completions", asked)
    assert b'"usage"' not in bare.body
    assert bare.body.endswith(b"data: [DONE]\n\n")
    assert b"event:" not in bare.body


async def test_functions_and_their_results(sim: Simulator) -> None:
    async with client(sim) as sdk:
        asked: dict[str, Any] = {"model": "gpt-5.6", "tools": [TOOL]}
        messages = said("Which weather is it?")
        called = await sdk.chat.completions.create(**asked, messages=messages)
        message = called.choices[0].message
        assert called.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sun"}
        messages += [message.model_dump(exclude_none=True), result]
        ended = await sdk.chat.completions.create(**asked, messages=messages)
        assert ended.choices[0].finish_reason == "stop"
        async with sdk.chat.completions.stream(
            **asked, messages=said("weather"), tool_choice="required"
        ) as helper:
            final = await helper.get_final_completion()
        streamed = final.choices[0].message.tool_calls
    assert streamed is not None
    assert streamed[0].function.arguments == message.tool_calls[0].function.arguments


async def test_what_is_parsed_refused_and_cut_short(sim: Simulator) -> None:
    async with client(sim) as sdk:
        parsed = await sdk.chat.completions.parse(
            model="gpt-5.6", messages=said("Hello"), response_format=City
        )
        assert parsed.choices[0].message.parsed is not None
        refused = await sdk.chat.completions.create(
            model="gpt-5.6", messages=said("[sim: kind=refusal]"), reasoning_effort="low"
        )
        assert (refused.choices[0].message.content or "").startswith("I am sorry")
        cut = await sdk.chat.completions.create(
            model="gpt-5.6", messages=said("Hello"), max_tokens=3
        )
        assert cut.choices[0].finish_reason == "length"
    assert sim.served[-1].outcome == "incomplete"


async def test_failures(sim: Simulator) -> None:
    async with client(sim) as sdk:
        with pytest.raises(openai.InternalServerError):
            await sdk.chat.completions.create(model="m", messages=said("[sim: kind=failed]"))
        stream = await sdk.chat.completions.create(
            model="m", messages=said("[sim: kind=failed; when=after]"), stream=True
        )
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]
        with pytest.raises(openai.RateLimitError):
            await sdk.chat.completions.create(model="m", messages=said("[sim: status=429]"))
    lost = await call(
        sim.base_url,
        "POST",
        "/v1/chat/completions",
        {"model": "m", "messages": said("[sim: no_terminal; no_blank_line]"), "stream": True},
    )
    assert b"[DONE]" not in lost.body


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "missing-model"}, 404),
        ({"model": None}, 400),
        ({"messages": "Hello"}, 400),
        ({"n": 0}, 400),
        ({"stream_options": {"include_usage": True}}, 400),
    ],
)
async def test_what_the_api_refuses(sim: Simulator, fields: dict[str, Any], status: int) -> None:
    asked = {"model": "gpt-5.6", "messages": said("Hello"), **fields}
    reply = await call(sim.base_url, "POST", "/v1/chat/completions", asked)
    assert reply.status == status


def test_a_request_in_the_words_of_responses() -> None:
    call_made = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = as_response(
        {
            "model": "m",
            "messages": [
                {"role": "assistant", "content": None, "tool_calls": [call_made]},
                {"role": "tool", "content": "sun"},
            ],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        }
    )
    assert [item["type"] for item in asked["input"]] == ["function_call", "function_call_output"]
    assert asked["tool_choice"] == {"type": "function", "name": "f"}
