"""Requests that are not HTTP: refused in the API's shape, and never to the harm of another."""

import pytest

from gateway.app import protocol
from tests.fakes.served import (
    BOTH_LOOPS,
    POST,
    SOON_SECONDS,
    STREAM,
    STREAMED,
    TEST_SECONDS_MAX,
    refusal,
    serving,
)

pytestmark = pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)

CHUNKED = b"transfer-encoding: chunked\r\n"
GOOD_CHUNK = CHUNKED + b"\r\n3\r\nhel\r\n"
BROKEN_CHUNK = GOOD_CHUNK + b"nonsense\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /echo HTTP/1.1\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /echo HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: a\r\nx: y\0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET http://a/echo HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET //a/echo HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /echo#a HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /echo HTTP/2.0\r\nhost: a\r\n\r\n",
        b"GET /echo HTTP/0.9\r\nhost: a\r\n\r\n",
        b"POST /echo HTTP/1.0\r\nhost: a\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        POST.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"),
        b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\n" + 2 * CHUNKED + b"\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\n" + BROKEN_CHUNK,
    ],
    ids=lambda sent: sent[20:60].decode("latin-1"),
)
async def test_a_malformed_request_is_refused(request_bytes: bytes) -> None:
    async with serving() as server:
        client = await server.connect(request_bytes)
        assert refusal(await client.rest()) == (400, "invalid_http")
        assert "echo" not in server.app.heard


async def test_the_host_may_be_missing_where_there_was_none() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /echo HTTP/1.0\r\n\r\n")
        assert (await client.echoed())["version"] == "1.0"


@pytest.mark.parametrize(
    "second",
    [
        b"nonsense\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: a\r\n" + BROKEN_CHUNK,
        POST + b"nonsense\r\n\r\n",
        POST + b"POST /echo HTTP/1.1\r\nhost: a\r\n" + BROKEN_CHUNK,
        b"x" * 70_000,
        b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
    ids=["head", "body", "third head", "third body", "large", "connect"],
)
@pytest.mark.parametrize("is_at_once", [True, False], ids=["at once", "apart"])
async def test_a_broken_request_does_not_cut_the_answer_before_it(
    second: bytes, is_at_once: bool
) -> None:
    async with serving() as server:
        client = await server.connect(*([STREAM + second] if is_at_once else [STREAM, second]))
        await server.app.until("first")
        server.app.go_on.set()
        sent = await client.rest()
        whole, _, behind = sent.partition(STREAMED)
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
        is_behind_another = second.startswith(POST)
        assert behind.startswith(b"HTTP/1.1 200 OK\r\n") or not is_behind_another
        assert server.app.heard == ["first", "streamed", *["echo"] * is_behind_another]


async def test_a_broken_body_is_heard_as_a_disconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", TEST_SECONDS_MAX)
    async with serving() as server:
        client = await server.connect(b"POST /wait HTTP/1.1\r\nhost: a\r\n", BROKEN_CHUNK)
        assert refusal(await client.rest()) == (400, "invalid_http")
        await server.app.until("disconnect")


async def test_a_broken_body_under_an_answer_never_ends_it_cleanly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", TEST_SECONDS_MAX)
    async with serving() as server:
        client = await server.connect(b"POST /talk HTTP/1.1\r\nhost: a\r\n" + GOOD_CHUNK)
        await server.app.until("got 3")
        await client.send(b"nonsense\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\n5\r\nfirst\r\n")
        await server.app.until("disconnect")


async def test_a_broken_rest_of_an_answered_body_is_no_second_answer() -> None:
    async with serving() as server:
        client = await server.connect(b"POST /early HTTP/1.1\r\nhost: a\r\n" + GOOD_CHUNK)
        assert await client.reply() == (401, b"who")
        await client.send(b"nonsense\r\n")
        assert await client.rest() == b""


async def test_a_refused_client_that_does_not_leave_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", SOON_SECONDS)
    async with serving() as server:
        client = await server.connect(b"nonsense\r\n\r\n", b"more and more")
        assert refusal(await client.rest()) == (400, "invalid_http")
        with pytest.raises(ConnectionError):
            await client.send_until_cut(b"more")
