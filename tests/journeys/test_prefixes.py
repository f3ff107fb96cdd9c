"""Paths that an operator passes: unmetered, so not for a hard budget's tenants; ids are owned."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.adapters.budgets import Budgets
from tests.journeys.held import patience
from tests.journeys.stage import Stage, make_key, now_us, stage

FILE = {"id": "file-1", "object": "file", "bytes": 3, "filename": "a.txt", "purpose": "user_data"}
OTHER = {**FILE, "id": "file-2"}


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One gateway for all tests."""
    prefixes = {"endpoints": {"passed_prefixes": "/v1/audio,/v1/files"}}
    async with patience(), stage(tmp_path_factory.mktemp("gateway"), **prefixes) as one:
        yield one


def sdk(on: Stage, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=on.base_url, api_key=key, max_retries=0)


def plays(on: Stage, method: str, path: str, answer: Any) -> None:
    """What the upstream answers to the next such request."""
    told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    kind = "audio/mpeg" if isinstance(answer, bytes) else "application/json"
    on.simulator.replay(told, method=method, path=path, content_type=kind)


async def test_a_form_and_its_answer_pass_unchanged(on: Stage) -> None:
    plays(on, "POST", "/v1/audio/transcriptions", {"text": "hello"})
    plays(on, "POST", "/v1/audio/speech", b"\x00\xff" * 100_000)
    async with sdk(on, on.key) as client:
        heard = await client.audio.transcriptions.create(model="whisper-1", file=b"\x00\xffRIFF")
        assert heard.text == "hello"
        received = on.simulator.requests[-1]
        assert received.header("content-type").startswith("multipart/form-data; boundary=")
        assert b"\x00\xffRIFF" in received.body
        said = await client.audio.speech.create(model="tts-1", voice="alloy", input="hi")
        assert said.content == b"\x00\xff" * 100_000
    assert on.entries() == []


async def test_what_is_kept_by_id_is_its_makers(on: Stage) -> None:
    ours, theirs = make_key(on.engine, "ours"), make_key(on.engine, "theirs")
    plays(on, "POST", "/v1/files", FILE)
    async with sdk(on, ours) as client, sdk(on, theirs) as stranger:
        made = await client.files.create(file=b"abc", purpose="user_data")
        plays(on, "GET", "/v1/files", {"object": "list", "data": [FILE, OTHER], "has_more": False})
        assert [one.id async for one in client.files.list()] == [made.id]
        for refused in (
            stranger.files.retrieve("file-1"),
            stranger.files.content("file-1"),
            stranger.files.delete("file-1"),
            client.files.retrieve("file-2"),
        ):
            with pytest.raises(openai.NotFoundError):
                await refused
        plays(on, "GET", "/v1/files/file-1", FILE)
        assert (await client.files.retrieve("file-1")).id == "file-1"
        gone = {"id": "file-1", "object": "file", "deleted": True}
        plays(on, "DELETE", "/v1/files/file-1", gone)
        await client.files.delete("file-1")
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve("file-1")


async def test_a_hard_budget_refuses_what_nobody_meters(on: Stage) -> None:
    key = make_key(on.engine, "bound")
    budgets = Budgets(engine=on.engine, now_us=now_us)
    budgets.set_budget("bound", period="day", given={"limit_pusd": 10**12})
    before = len(on.simulator.requests)
    async with sdk(on, key) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.speech.create(model="tts-1", voice="alloy", input="hi")
    assert refused.value.code == "unmetered_path"
    assert len(on.simulator.requests) == before


async def test_all_else_is_not_served(on: Stage) -> None:
    async with on.client() as client:
        for path in ("images/generations", "files/..%2fmodels", "audio/%2e%2e/x"):
            answer = await client.post(f"{on.base_url}/{path}", json={})
            assert answer.status_code == 404, path
        upgrade = {"upgrade": "websocket", "connection": "upgrade"}
        answer = await client.get(f"{on.base_url}/audio/speech", headers=upgrade)
        assert answer.status_code == 426
        odd = {"content-type": "application/json; charset=utf-16"}
        answer = await client.post(f"{on.base_url}/audio/speech", content=b"{}", headers=odd)
        assert answer.status_code == 415


async def test_an_id_that_nobody_knows_is_not_sent(on: Stage) -> None:
    arrived = len(on.simulator.requests)
    async with sdk(on, on.key) as client:
        with pytest.raises(openai.BadRequestError, match="thread_id") as refused:
            await client.post("/audio/speech", body={"thread_id": "x_1"}, cast_to=object)
    assert refused.value.param == "thread_id"
    assert len(on.simulator.requests) == arrived
