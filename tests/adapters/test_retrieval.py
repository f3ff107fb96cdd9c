"""What the upstream is asked, and what of its answers is believed."""

import asyncio
import json

import pytest

from gateway.adapters.retrieval import Retrieval
from gateway.core.reconciliation import Told
from gateway.core.usage import Usage
from tests.fakes.door import KINDS, Kind, upstream_at
from tests.fakes.rawserver import RawServer, Script, close, hang, read_request, send
from tests.fakes.told import BODY, RESPONSE


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


def answer(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def asked(
    script: Script, kind: Kind = "fast", response_id: str = "resp_1"
) -> tuple[Told | None, list[bytes]]:
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        told = await Retrieval(up, seconds_max=0.3).ask(response_id)
        return told, server.requests


async def test_it_is_asked_for_by_name_and_with_the_credential(kind: Kind) -> None:
    told, (request,) = await asked([read_request, send(answer(BODY))], kind)
    assert told is not None
    assert (told.status, told.observation.terminal) == (200, "response.completed")
    assert told.observation.usage == Usage(input_tokens=100, output_tokens=20)
    assert request.startswith(b"GET /v1/responses/resp_1 HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer sk-1\r\n" in request
    assert b"content-length" not in request


async def test_a_completion_is_asked_for_where_it_is_kept() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    body = json.dumps({"choices": [{"finish_reason": "stop"}], "usage": usage}).encode()
    told, (request,) = await asked([read_request, send(answer(body))], response_id="chatcmpl-1")
    assert request.startswith(b"GET /v1/chat/completions/chatcmpl-1 HTTP/1.1\r\n")
    assert told is not None
    assert told.observation.usage == Usage(input_tokens=3, output_tokens=5)


async def test_a_name_cannot_lead_elsewhere() -> None:
    _, (request,) = await asked([read_request, send(answer(BODY))], response_id="a/../b?c=d#e f")
    assert request.startswith(b"GET /v1/responses/a%2F..%2Fb%3Fc%3Dd%23e%20f HTTP/1.1\r\n")


async def test_what_is_under_way_has_no_end_yet() -> None:
    body = json.dumps({**RESPONSE, "status": "in_progress", "usage": None}).encode()
    told, _ = await asked([read_request, send(answer(body))])
    assert told is not None
    assert (told.observation.terminal, told.observation.status) == (None, "in_progress")


async def test_that_there_is_none_is_an_answer() -> None:
    told, _ = await asked([read_request, send(answer(b'{"error": {}}', "404 Not Found"))])
    assert told is not None
    assert (told.status, told.observation.status) == (404, None)


@pytest.mark.parametrize(
    "script",
    [
        [read_request, hang],
        [read_request, close],
        [read_request, send(answer(BODY)[:-9]), close],
        [read_request, send(answer(BODY)[:-9]), hang],
    ],
    ids=["silent", "closed", "cut", "stalled"],
)
async def test_what_does_not_come_whole_and_in_time_is_no_answer(
    script: Script, kind: Kind
) -> None:
    async with asyncio.timeout(5):
        told, _ = await asked(script, kind)
    assert told is None
