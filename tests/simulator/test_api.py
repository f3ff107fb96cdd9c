"""The endpoints, as real clients use them."""

import openai
import pytest
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call, respond


class City(BaseModel):
    name: str
    districts: list[str]
    people: int


UNKNOWN = {"type": "json_schema", "schema": {"$ref": "#/nowhere"}}


def client(sim: Simulator, key: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=sim.base_url, api_key=key, max_retries=0)


async def test_the_sdk_gets_a_whole_response_and_the_same_again(sim: Simulator) -> None:
    async with client(sim) as sdk:
        made = await sdk.responses.create(model="gpt-5.6", input="Hello")
        assert made.output_text.startswith("Every byte")
        again = await sdk.responses.retrieve(made.id)
        assert again.usage == made.usage
        await sdk.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.retrieve(made.id)
    assert len(sim.served) == 1


async def test_the_sdk_streams(sim: Simulator) -> None:
    async with client(sim) as sdk:
        stream = await sdk.responses.create(model="gpt-5.6", input="Hello", stream=True)
        text = [event.delta async for event in stream if isinstance(event, ResponseTextDeltaEvent)]
        async with sdk.responses.stream(
            model="gpt-5.6", input="[sim: kind=web_search]", tools=[{"type": "web_search"}]
        ) as helper:
            final = await helper.get_final_response()
    assert "".join(text) == final.output_text


async def test_the_sdk_parses(sim: Simulator) -> None:
    async with client(sim) as sdk:
        parsed = await sdk.responses.parse(model="gpt-5.6", input="Hello", text_format=City)
        assert parsed.output_parsed == City(name="simulated", districts=["simulated"], people=1)
        async with sdk.responses.stream(model="gpt-5.6", input="Hello", text_format=City) as helper:
            final = await helper.get_final_response()
        assert final.output_parsed == parsed.output_parsed


async def test_the_sdk_calls_a_function_and_brings_the_result(sim: Simulator) -> None:
    async with client(sim) as sdk:
        called = await sdk.responses.create(
            model="gpt-5.6",
            input="look it up",
            tools=[
                {
                    "type": "function",
                    "name": "look",
                    "parameters": {"type": "object", "properties": {"a": {"type": "boolean"}}},
                    "strict": True,
                }
            ],
        )
        (call_item,) = called.output
        assert call_item.type == "function_call"
        assert call_item.arguments == '{"a":true}'
        answered = await sdk.responses.create(
            model="gpt-5.6",
            previous_response_id=called.id,
            input=[{"type": "function_call_output", "call_id": call_item.call_id, "output": "yes"}],
        )
    assert answered.output[0].type == "message"
    assert called.usage is not None
    assert answered.usage is not None
    assert answered.usage.input_tokens > called.usage.total_tokens


async def test_an_error_event_reaches_the_sdk(sim: Simulator) -> None:
    async with client(sim) as sdk:
        stream = await sdk.responses.create(model="gpt-5.6", input="[sim: kind=error]", stream=True)
        with pytest.raises(openai.APIError, match="stopped working"):
            [event async for event in stream]


def test_the_sdk_works_without_async_too() -> None:
    import anyio.from_thread  # noqa: PLC0415 - only this test has no loop of its own

    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Simulator()) as sim,
        openai.OpenAI(base_url=sim.base_url, api_key="any", max_retries=0) as sdk,
    ):
        assert sdk.responses.create(model="gpt-5.6", input="Hello").status == "completed"
        stream = sdk.responses.create(model="gpt-5.6", input="Hello", stream=True)
        assert [event.type for event in stream][-1] == "response.completed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "missing-model", "input": "x"}, "model_not_found"),
        ({"model": "m", "input": "x", "max_output_tokens": 15}, "integer_below_min_value"),
        ({"model": "m", "input": "x", "max_output_tokens": "many"}, "integer_below_min_value"),
        ({"model": "m"}, "missing_required_parameter"),
        ({"input": "x"}, "missing_required_parameter"),
        ({"model": "m", "input": "[sim: colour=red]"}, "directive_invalid"),
        ({"model": "m", "input": "[sim: replay=none]"}, None),
        ({"model": "m", "input": "x", "previous_response_id": "r"}, "previous_response_not_found"),
        ({"model": "m", "input": "x", "tools": "none"}, "invalid_type"),
        ({"model": "m", "input": "x", "tools": [1]}, "invalid_type"),
        ({"model": "m", "input": "x", "text": {"format": UNKNOWN}}, "invalid_json_schema"),
        (b"{not json", None),
        (b"[1]", None),
    ],
)
async def test_bad_requests_are_refused_and_cost_nothing(
    sim: Simulator, body: object, code: str | None
) -> None:
    reply = await call(sim.base_url, "POST", "/v1/responses", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, code)
    assert sim.served == []


async def test_a_wrong_key_is_refused() -> None:
    async with Simulator(api_key="right") as sim:
        async with client(sim, "wrong") as sdk:
            with pytest.raises(openai.AuthenticationError):
                await sdk.models.list()
        async with client(sim, "right") as sdk:
            assert [model.id async for model in sdk.models.list()]


async def test_models_and_counts(sim: Simulator) -> None:
    async with client(sim) as sdk:
        assert (await sdk.models.retrieve("gpt-5.6")).id == "gpt-5.6"
        with pytest.raises(openai.NotFoundError):
            await sdk.models.retrieve("missing-model")
        counted = await sdk.responses.input_tokens.count(model="gpt-5.6", input="x" * 398)
        assert counted.input_tokens == 100


async def test_refusals_by_directive_and_how_often(sim: Simulator) -> None:
    first = await respond(sim.base_url, "status=503; times=1")
    second = await respond(sim.base_url, "status=503; times=1")
    assert (first.status, first.header("retry-after"), second.status) == (503, "1", 200)
    always = [(await respond(sim.base_url, "status=429; code=slow_down")) for _ in range(3)]
    assert {(reply.status, reply.json["error"]["code"]) for reply in always} == {(429, "slow_down")}
    assert len(sim.served) == 1


async def test_what_is_not_stored_is_not_found_again(sim: Simulator) -> None:
    made = await respond(sim.base_url, "", stream=False, store=False)
    assert (await call(sim.base_url, "GET", f"/v1/responses/{made.json['id']}")).status == 404
    assert (await call(sim.base_url, "PUT", "/v1/responses")).status == 404


async def test_a_background_response_gets_on_by_being_read(sim: Simulator) -> None:
    async with client(sim) as sdk:
        queued = await sdk.responses.create(
            model="gpt-5.6", input="[sim: polls=1]", background=True
        )
        assert (queued.status, queued.usage) == ("queued", None)
        assert (await sdk.responses.retrieve(queued.id)).status == "in_progress"
        done = await sdk.responses.retrieve(queued.id)
        assert (done.status, done.usage is None) == ("completed", False)
        assert (await sdk.responses.cancel(queued.id)).status == "completed"


async def test_a_response_may_be_there_only_when_it_has_ended(sim: Simulator) -> None:
    made = await respond(sim.base_url, "missing=2; polls=1", stream=False)
    path = f"/v1/responses/{made.json['id']}"
    found = [await call(sim.base_url, "GET", path) for _ in range(4)]
    assert [reply.status for reply in found] == [404, 404, 200, 200]
    assert [reply.json["status"] for reply in found[2:]] == ["in_progress", "completed"]
    assert found[3].json["usage"] == made.json["usage"]


async def test_a_cancelled_background_response_tells_no_usage(sim: Simulator) -> None:
    async with client(sim) as sdk:
        queued = await sdk.responses.create(model="gpt-5.6", input="Hello", background=True)
        cancelled = await sdk.responses.cancel(queued.id)
        assert (cancelled.status, cancelled.usage) == ("cancelled", None)
    reply = await call(sim.base_url, "PATCH", f"/v1/responses/{queued.id}")
    assert reply.status == 404


async def test_a_stream_can_be_told_again(sim: Simulator) -> None:
    async with client(sim) as sdk:
        made = await sdk.responses.create(model="gpt-5.6", input="Hello")
        stream = await sdk.responses.retrieve(made.id, stream=True, starting_after=10)
        told = [event async for event in stream]
    assert (told[0].sequence_number, told[-1].type) == (11, "response.completed")
    path = f"/v1/responses/{made.id}?stream=true&starting_after=soon"
    assert (await call(sim.base_url, "GET", path)).status == 400
    assert len(sim.served) == 1
