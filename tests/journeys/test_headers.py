"""Which headers cross, each way: nothing of the client's secrets, nothing of a hop's."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.rawserver import RawServer, read_request, send
from tests.journeys.caller import Caller, whole_answer
from tests.journeys.cuts import header
from tests.journeys.stage import Stage, body, stage

NEVER_TO_CLIENT = {
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
    "keep-alive",
}
TO_CLIENT = (
    "x-request-id",
    "openai-version",
    "openai-organization",
    "openai-processing-ms",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)
OURS = "x-gateway-request-id"
TO_UPSTREAM = {
    "accept": "text/event-stream",
    "content-type": "application/json",
    "user-agent": "OpenAI/Python 3.54.0",
    "openai-beta": "responses=v1",
    "idempotency-key": "one-1",
    "x-client-request-id": "client-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-stainless-lang": "python",
}
NEVER_TO_UPSTREAM = {
    "cookie": "session=secret",
    "openai-organization": "org-of-the-client",
    "openai-project": "proj-of-the-client",
    "x-api-key": "secret",
    "proxy-authorization": "Basic secret",
    "x-forwarded-for": "203.0.113.7",
    "forwarded": "for=203.0.113.7",
    "te": "trailers",
    "x-unknown": "anything",
    "accept-language": "tlh",
    "x-request-id": "spoofed",
    "x-gateway-request-id": "spoofed",
}


def names(told: Caller) -> list[str]:
    lines = told.head.decode("latin-1").strip().split("\r\n")[1:]
    return [line.partition(":")[0].lower() for line in lines]


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("how", ["", "status=429", "status=500", "gzip"])
async def test_what_the_client_is_told(shared_stage: Stage, how: str, is_stream: bool) -> None:
    on = shared_stage
    asked = body(f"Hello [sim: {how}]", stream=is_stream)
    told = await whole_answer(on.port, on.key, asked)
    assert not NEVER_TO_CLIENT & set(names(told))
    assert set(TO_CLIENT) <= set(names(told))
    assert names(told).count(OURS) == 1
    entry = on.entries()[-1]
    assert header(told, OURS) == entry.request_id
    assert header(told, "x-request-id") == entry.upstream_request_id
    assert ("retry-after" in names(told)) == (how == "status=429")
    assert ("content-encoding" in names(told)) == (how == "gzip")


async def test_each_answer_has_an_id_of_its_own(shared_stage: Stage) -> None:
    on = shared_stage
    asked = [whole_answer(on.port, on.key, body()) for _ in range(20)]
    ids = [header(told, OURS) for told in await asyncio.gather(*asked)]
    assert len(set(ids)) == len(ids)
    assert {entry.request_id for entry in on.entries()}.issuperset(ids)


async def test_values_order_and_repetitions_stay(tmp_path: Path) -> None:
    sent = [
        ("X-Custom", "1"),
        ("Content-Type", "application/json"),
        ("x-custom", "2"),
        ("Vary", "Accept"),
        ("Via", "1.1 \xe9"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "of this hop"),
        ("Content-Length", "2"),
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent)
    script = [read_request, send(f"HTTP/1.1 200 OK\r\n{lines}\r\n{{}}".encode("latin-1"))]
    async with (
        RawServer(script) as upstream,
        stage(tmp_path, upstream={"base_url": upstream.url}) as on,
    ):
        told = await whole_answer(on.port, on.key, body(stream=False))
    crossed = [name for name in names(told) if not name.startswith("x-gateway-")]
    assert crossed == ["x-custom", "content-type", "x-custom", "vary", "via", "content-length"]
    assert b"via: 1.1 \xe9\r\n" in told.head


async def test_what_the_upstream_is_told(shared_stage: Stage) -> None:
    on = shared_stage
    asked = body("exact")
    before = len(on.simulator.requests)
    given = {**TO_UPSTREAM, **NEVER_TO_UPSTREAM}
    given.pop("content-type")
    lines = [f"{name}: {value}" for name, value in given.items()]
    told = await whole_answer(
        on.port, on.key, asked, *lines, "connection: authorization, x-stainless-lang, user-agent"
    )
    assert told.status == 200
    (received,) = list(on.simulator.requests)[before:]
    crossed = {name.lower(): value for name, value in received.headers}
    assert len(crossed) == len(received.headers)
    own = {"host", "content-length", "authorization", "accept-encoding"}
    assert set(crossed) - {"connection"} == {*TO_UPSTREAM, *own}
    assert crossed["authorization"] == "Bearer sk-upstream"
    assert crossed["accept-encoding"] == "identity"
    assert crossed["host"] == on.simulator.url.removeprefix("http://")
    assert {name: crossed[name] for name in TO_UPSTREAM} == TO_UPSTREAM


async def test_the_body_and_the_query_are_the_client_s(shared_stage: Stage) -> None:
    on = shared_stage
    content = b' {"input" : "\xc3\xa9 \\u00e9",\n"model":"gpt-5-mini", "x": [1.0, 1e2], "y": {} }\n'
    async with on.client() as client:
        answer = await client.post(
            f"{on.base_url}/responses?a=1&a=%2F%20&b",
            content=content,
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 200
    received = on.simulator.requests[-1]
    assert received.body == content
    assert received.target == "/v1/responses?a=1&a=%2F%20&b"


async def test_no_cookie_comes_back(shared_stage: Stage) -> None:
    on = shared_stage
    for _ in range(3):
        await whole_answer(on.port, on.key, body())
    for received in on.simulator.requests:
        assert not received.header("cookie")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(shared_stage: Stage, status: int) -> None:
    on = shared_stage
    before = len(on.simulator.requests)
    told = await whole_answer(on.port, on.key, body(f"[sim: status={status}]"))
    assert (told.status, header(told, "location")) == (status, "/v1/elsewhere")
    assert len(on.simulator.requests) == before + 1
    entry = on.entries()[-1]
    assert (entry.http_status, entry.basis, entry.cost_pusd) == (status, "none", 0)
