"""Requests that we refuse: in the API's own shape; nothing is sent upstream, nothing is posted."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.adapters import schema
from gateway.adapters.directory import Directory
from tests.fakes import ledgerview
from tests.journeys.caller import Caller, request_head, whole_answer
from tests.journeys.held import SOON, quiet
from tests.journeys.stage import (
    TENANT,
    WAIT_SECONDS_MAX,
    Stage,
    body,
    make_key,
    now_us,
    stage,
)

BYTES_MAX = 4096
LARGE = body("x" * BYTES_MAX)


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway with a small limit of bodies."""
    async with stage(
        tmp_path_factory.mktemp("gateway"),
        limits={"request_bytes_max": BYTES_MAX},
        shutdown=SOON,
    ) as one:
        yield one


@pytest.fixture(autouse=True)
async def nothing_happened(on: Stage) -> AsyncIterator[None]:
    """After each test: nothing was sent, nothing is held, nothing is posted."""
    before = len(on.simulator.requests), len(on.entries())
    yield
    assert (len(on.simulator.requests), len(on.entries())) == before
    assert ledgerview.rows(on.engine, schema.hold) == []


def assert_refused(told: Caller, status: int, code: str, param: str | None = None) -> str:
    """The API's shape of an error; returns its message."""
    assert (told.status, told.ending) == (status, "whole"), bytes(told.body)
    assert b"content-type: application/json\r\n" in told.head
    error = told.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    return str(error["message"])


async def speak(on: Stage, request: bytes) -> Caller:
    caller = await Caller.connect(on.port)
    caller.writer.write(request)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        await caller.read()
    caller.writer.close()
    return caller


@pytest.mark.parametrize(
    "target",
    [
        "GET /v1/responses",
        "DELETE /v1/responses",
        "PUT /v1/responses",
        "POST /v1/responses/",
        "POST /v1//responses",
        "POST /v1/responses%2F",
        "POST /v1/%72esponses",
        "POST /v1/x/../responses",
        "POST /v1/responses;a",
        "POST /v1/RESPONSES",
        "POST /v1/completions",
        "GET /v1/files",
        "POST /v1/",
        "POST /v1",
        "POST /responses",
        "POST /v2/responses",
        "GET /",
        "GET /docs",
        "GET /openapi.json",
    ],
)
async def test_a_path_that_we_do_not_serve(on: Stage, target: str) -> None:
    content = json.dumps(body()).encode()
    _, _, rest = request_head(on.key, len(content)).partition(b"\r\n")
    told = await speak(on, f"{target} HTTP/1.1\r\n".encode() + rest + content)
    assert_refused(told, 404, "not_found")


async def test_a_websocket_is_told_to_come_by_post(on: Stage) -> None:
    lines = (
        "GET /v1/responses HTTP/1.1",
        "host: gateway",
        f"authorization: Bearer {on.key}",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    told = await speak(on, "\r\n".join((*lines, "", "")).encode())
    assert_refused(told, 426, "websocket_not_served")
    assert b"\r\nupgrade: " in told.head


async def test_http_1_0_is_told_how_to_come(on: Stage) -> None:
    content = json.dumps(body()).encode()
    request = request_head(on.key, len(content)).replace(b"HTTP/1.1", b"HTTP/1.0") + content
    assert "proxy_http_version" in assert_refused(
        await speak(on, request), 505, "http_version_not_served"
    )


def key_of(on: Stage, state: str) -> str:
    """A key that was one."""
    directory = Directory(engine=on.engine, now_us=now_us)
    path = f"states/{state}"
    directory.create_tenant(path)
    is_expired = state == "expired"
    issued = directory.issue_key(path, expires_at_us=now_us() - 1 if is_expired else None)
    if state == "revoked":
        directory.revoke_key(issued.id)
    if state == "suspended":
        directory.suspend(path)
    if state == "suspended_above":
        directory.suspend("states")
    return issued.text


@pytest.mark.parametrize("state", ["revoked", "expired", "suspended", "suspended_above"])
async def test_a_key_that_is_no_longer_one(on: Stage, state: str) -> None:
    told = await whole_answer(on.port, key_of(on, state), body())
    assert_refused(told, 401, "invalid_api_key")
    assert b"www-authenticate: Bearer" in told.head
    Directory(engine=on.engine, now_us=now_us).resume("states")


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer sk-proj-of-the-client",
        "Bearer gw_000000000000_" + 43 * "0" + 6 * "0",
        "Bearer gw_\xe9",
    ],
)
async def test_a_header_that_shows_no_key(on: Stage, shown: str) -> None:
    content = json.dumps(body()).encode()
    lines = ["POST /v1/responses HTTP/1.1", "host: gateway", f"content-length: {len(content)}"]
    if shown:
        lines.append(f"authorization: {shown}")
    told = await speak(on, "\r\n".join((*lines, "", "")).encode("latin-1") + content)
    assert_refused(told, 401, "invalid_api_key")


async def test_a_key_with_another_s_secret(on: Stage) -> None:
    # The checksum is right, the id is known and the secret is one: only together they are wrong.
    one, other = make_key(on.engine), make_key(on.engine)
    mixed = one.rsplit("_", 1)[0] + "_" + other.rsplit("_", 1)[1]
    for shown in (mixed, other[:-1]):
        assert_refused(await whole_answer(on.port, shown, body()), 401, "invalid_api_key")


async def test_two_keys_are_one_too_many(on: Stage) -> None:
    told = await whole_answer(on.port, on.key, body(), f"authorization: Bearer {on.key}")
    assert_refused(told, 400, "invalid_headers")


BODIES: list[tuple[bytes, str, str | None]] = [
    (b"", "invalid_json", None),
    (b"{", "invalid_json", None),
    (b'"text"', "invalid_json", None),
    (b'{"model": "gpt-5-mini"} x', "invalid_json", None),
    (b'{"model": "\xff"}', "invalid_json", None),
    (b"[" * 4000, "invalid_json", None),
    (b'{"input": "Hello"}', "missing_required_parameter", "model"),
    (b'{"model": null}', "missing_required_parameter", "model"),
    (b'{"model": ["gpt-5-mini"]}', "invalid_type", "model"),
    (b'{"model": "gpt-5-mini", "stream": "yes"}', "invalid_type", "stream"),
    (b'{"model": "gpt-5-mini", "max_output_tokens": -1}', "invalid_type", "max_output_tokens"),
    (b'{"model": "gpt-of-nobody"}', "model_not_priced", "model"),
]


@pytest.mark.parametrize(("content", "code", "param"), BODIES)
async def test_a_body_that_we_do_not_take(
    on: Stage, content: bytes, code: str, param: str | None
) -> None:
    told = await speak(on, request_head(on.key, len(content)) + content)
    message = assert_refused(told, 400, code, param)
    assert param is None or param in message


async def test_a_body_is_refused_by_its_announced_size_before_it_is_sent(on: Stage) -> None:
    told = await speak(on, request_head(on.key, BYTES_MAX + 1))
    assert_refused(told, 413, "request_too_large")


async def test_a_chunked_body_is_refused_where_it_becomes_too_large(on: Stage) -> None:
    head = request_head(on.key, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    piece = b"400\r\n" + b"x" * 1024 + b"\r\n"
    told = await speak(on, head + piece * (BYTES_MAX // 1024 + 1))
    assert_refused(told, 413, "request_too_large")


async def test_who_is_refused_is_not_asked_for_a_body(on: Stage) -> None:
    for key, length in (("sk-wrong", 10), (on.key, BYTES_MAX + 1)):
        caller = await Caller.connect(on.port)
        caller.writer.write(request_head(key, length, "expect: 100-continue"))
        first = await caller.reader.readline()
        assert first.split()[1] in (b"401", b"413")
        caller.writer.close()


async def test_a_connection_outlives_a_refusal(on: Stage) -> None:
    content = json.dumps(body(model="gpt-of-nobody")).encode()
    caller = await Caller.connect(on.port)
    for _ in range(3):
        caller.writer.write(request_head(on.key, len(content)) + content)
        caller.head, caller.ending, caller.body_bytes = b"", "", 0
        caller.body.clear()
        await caller.read()
        assert_refused(caller, 400, "model_not_priced", "model")
    caller.writer.close()


SDK_ERRORS: list[tuple[dict[str, Any], type[openai.APIStatusError], int]] = [
    ({"api_key": "sk-wrong"}, openai.AuthenticationError, 401),
    ({"model": "gpt-of-nobody"}, openai.BadRequestError, 400),
    ({"input": "x" * BYTES_MAX}, openai.APIStatusError, 413),
    ({"path": "/none"}, openai.NotFoundError, 404),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("given", "kind", "status"), SDK_ERRORS)
async def test_the_sdk_raises_the_right_class_and_tries_once(
    on: Stage, given: dict[str, Any], kind: type[openai.APIStatusError], status: int, stream: bool
) -> None:
    asked = {"model": "gpt-5-mini", "input": "Hello", "stream": stream, **given}
    key, path = asked.pop("api_key", on.key), asked.pop("path", "")
    async with AsyncOpenAI(base_url=on.base_url + path, api_key=key) as client:
        with pytest.raises(kind) as raised:
            await client.responses.create(**asked)
    assert raised.value.status_code == status
    assert raised.value.response.request.headers["x-stainless-retry-count"] == "0"


async def test_a_revoked_key_takes_no_hold_any_more(tmp_path: Path) -> None:
    async with stage(tmp_path) as one:
        directory = Directory(engine=one.engine, now_us=now_us)
        key = directory.issue_key(TENANT)
        assert (await whole_answer(one.port, key.text, body())).status == 200
        directory.revoke_key(key.id)
        assert (await whole_answer(one.port, key.text, body())).status == 401
        assert len(one.entries()) == 1


@pytest.mark.parametrize("sent", [0, 10])
async def test_a_client_that_leaves_in_its_own_request_is_nobody(on: Stage, sent: int) -> None:
    caller = await Caller.connect(on.port)
    caller.writer.write(request_head(on.key, 100) + b"{" * sent)
    await quiet(on)
    caller.leave("fin")
    await quiet(on)
