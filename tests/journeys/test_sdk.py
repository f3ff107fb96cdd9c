"""The official SDK, moved to the gateway by its base URL alone, sees what it saw before.

Everything is asked twice, of the simulator itself and through the gateway: results and errors are
compared with each other, not with what we believe they should be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.journeys.bill import assert_all_exact
from tests.journeys.stage import Stage, body, stage

MODEL = "gpt-5-mini"
KINDS = (
    "text",
    "reasoning",
    "function_call",
    "web_search",
    "parsed",
    "refusal",
    "keepalive",
    "incomplete",
    "failed",
    "error",
)
REFUSALS = (
    "status=400; code=model_not_found",
    "status=401",
    "status=403",
    "status=404",
    "status=409",
    "status=422",
    "status=429",
    "status=429; code=insufficient_quota",
    "status=500",
    "status=502",
    "status=503",
)
BREAKS = (
    "kind=failed",
    "kind=failed; when=after; code=rate_limit_exceeded; message=Slower.",
    "kind=error",
    "kind=error; flat",
    "kind=incomplete; reason=content_filter",
    "cut=0",
    "cut=300",
    "cut=terminal",
    "cut=terminal+20",
    "cut=300; chunked",
    "reset=0",
    "reset=300",
    "reset=terminal+20",
    "no_terminal",
    "no_blank_line",
    "garbage",
    "done",
    "usage=null",
    "early_hints",
    "close_delimited",
    "gzip",
    "crlf; bom; comment",
)


class Answer(BaseModel):
    answer: str


ANSWER_FORMAT = {
    "type": "json_schema",
    "name": "Answer",
    "strict": True,
    "schema": {**Answer.model_json_schema(), "additionalProperties": False},
}

Verb = Callable[[AsyncOpenAI, str], Awaitable[Any]]
SyncVerb = Callable[[OpenAI, str], Any]


async def create(client: AsyncOpenAI, said: str) -> Any:
    return (await client.responses.create(model=MODEL, input=said)).model_dump()


async def create_stream(client: AsyncOpenAI, said: str) -> Any:
    events = await client.responses.create(model=MODEL, input=said, stream=True)
    return [event.model_dump() async for event in events]


async def stream(client: AsyncOpenAI, said: str) -> Any:
    async with client.responses.stream(model=MODEL, input=said) as events:
        told = [event.model_dump() async for event in events]
        return told, (await events.get_final_response()).model_dump()


async def parse(client: AsyncOpenAI, said: str) -> Any:
    parsed = await client.responses.parse(model=MODEL, input=said, text_format=Answer)
    return parsed.output_parsed, parsed.model_dump()


def sync_create(client: OpenAI, said: str) -> Any:
    return client.responses.create(model=MODEL, input=said).model_dump()


def sync_create_stream(client: OpenAI, said: str) -> Any:
    events = client.responses.create(model=MODEL, input=said, stream=True)
    return [event.model_dump() for event in events]


def sync_stream(client: OpenAI, said: str) -> Any:
    with client.responses.stream(model=MODEL, input=said) as events:
        told = [event.model_dump() for event in events]
        return told, events.get_final_response().model_dump()


def sync_parse(client: OpenAI, said: str) -> Any:
    parsed = client.responses.parse(model=MODEL, input=said, text_format=Answer)
    return parsed.output_parsed, parsed.model_dump()


def told_by(error: Exception) -> Any:
    """All that a program can see of an error, but for what names one try of many."""
    names = ("status_code", "code", "param", "type", "body", "message")
    return type(error), str(error), [getattr(error, name, None) for name in names]


async def tried(verb: Verb, client: AsyncOpenAI, said: str) -> Any:
    try:
        return await verb(client, said)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return told_by(error)


def sync_tried(verb: SyncVerb, client: OpenAI, said: str) -> Any:
    try:
        return verb(client, said)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return told_by(error)


def addresses(on: Stage) -> list[tuple[str, str]]:
    return [(on.simulator.base_url, "sk-direct"), (on.base_url, on.key)]


async def both(on: Stage, verb: Verb, said: str) -> list[Any]:
    """What the verb comes to: asked of the simulator, and through the gateway."""
    results = []
    for url, key in addresses(on):
        async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
            results.append(await tried(verb, client, said))
    return results


async def sync_both(on: Stage, verb: SyncVerb, said: str) -> list[Any]:
    results = []
    for url, key in addresses(on):
        with OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            results.append(await asyncio.to_thread(sync_tried, verb, client, said))
    return results


async def record(on: Stage, directive: str, *, is_stream: bool) -> str:
    """Keep one answer of the simulator, so that two who ask are told the very same."""
    asked = body(f"[sim: {directive}]", stream=is_stream) | {"text": {"format": ANSWER_FORMAT}}
    async with httpx.AsyncClient(trust_env=False) as client:
        told = await client.post(f"{on.simulator.base_url}/responses", json=asked)
    name = f"{directive}/{is_stream}"
    kind = told.headers["content-type"]
    on.simulator.replay(
        told.content, name=name, content_type=kind, status=told.status_code, is_counted=True
    )
    return f"[sim: replay={name}]"


def without_ids(value: Any) -> Any:
    """A result less what is new in each answer."""
    if isinstance(value, dict):
        new = {"id", "item_id", "created_at", "completed_at", "obfuscation", "call_id"}
        kept = {name: inner for name, inner in value.items() if name not in new}
        return {name: without_ids(inner) for name, inner in kept.items()}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def is_error(result: Any) -> bool:
    return isinstance(result, tuple) and isinstance(result[0], type)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_verb_tells_the_same_of_every_kind(shared_stage: Stage, kind: str) -> None:
    before = len(shared_stage.entries())
    streamed = await record(shared_stage, f"kind={kind}", is_stream=True)
    whole = await record(shared_stage, f"kind={kind}", is_stream=False)
    results = [
        await both(shared_stage, create, whole),
        await both(shared_stage, create_stream, streamed),
        await both(shared_stage, stream, streamed),
        await both(shared_stage, parse, whole),
        await sync_both(shared_stage, sync_create, whole),
        await sync_both(shared_stage, sync_create_stream, streamed),
        await sync_both(shared_stage, sync_stream, streamed),
        await sync_both(shared_stage, sync_parse, whole),
    ]
    for direct, through in results:
        assert through == direct
    assert is_error(results[1][0]) == (kind == "error")
    await shared_stage.settled(before + len(results))


@pytest.mark.parametrize("directive", REFUSALS + BREAKS)
async def test_every_error_is_the_one_it_was(shared_stage: Stage, directive: str) -> None:
    before = len(shared_stage.entries())
    said = f"[sim: {directive}]"
    results = [
        await both(shared_stage, create, said),
        await both(shared_stage, create_stream, said),
        await sync_both(shared_stage, sync_create, said),
        await sync_both(shared_stage, sync_create_stream, said),
    ]
    for direct, through in results:
        assert without_ids(through) == without_ids(direct)
    assert directive not in REFUSALS or all(is_error(through) for _, through in results)
    await shared_stage.settled(before + len(results))


async def test_a_model_that_the_upstream_does_not_know(tmp_path: Path) -> None:
    async def missing(client: AsyncOpenAI, said: str) -> Any:
        return await client.responses.create(model="missing-model", input=said)

    async with stage(tmp_path, policy={"unpriced": "record"}) as on:
        direct, through = await both(on, missing, "Hello")
        assert through == direct
        assert direct[0] is openai.BadRequestError
        (entry,) = await on.settled(1)
    assert (entry.outcome, entry.basis, entry.cost_pusd) == ("failed", "none", 0)


async def test_each_try_of_a_client_that_repeats_is_an_entry(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        async with AsyncOpenAI(base_url=on.base_url, api_key=on.key) as client:
            said = "[sim: status=429; times=1; retry_after=0]"
            response = await client.responses.create(model=MODEL, input=said)
        refused, answered = await on.settled(2)
    assert (refused.outcome, refused.basis, refused.cost_pusd) == ("failed", "none", 0)
    assert (refused.http_status, refused.reason) == (429, "rate_limit_exceeded")
    assert_all_exact([answered], on.simulator.served)
    assert answered.response_id == response.id


async def test_what_the_sdk_was_told_is_what_is_billed(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        async with AsyncOpenAI(base_url=on.base_url, api_key=on.key) as client:
            whole = await client.responses.create(model=MODEL, input="[sim: reasoning=9]")
            async with client.responses.stream(model=MODEL, input="[sim: output=70]") as events:
                streamed = await events.get_final_response()
        entries = await on.settled(2)
        assert_all_exact(entries, on.simulator.served)
    for response, entry in zip((whole, streamed), entries, strict=True):
        assert response.usage is not None
        told = response.usage.input_tokens, response.usage.output_tokens
        assert told == (entry.input_tokens, entry.output_tokens)
