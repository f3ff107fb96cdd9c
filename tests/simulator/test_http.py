"""Requests read from bytes, and heads written."""

import asyncio

import pytest

from gateway.simulator.http import BODY_BYTES_MAX, RequestMalformed, head_bytes, read_request
from gateway.simulator.server import Simulator
from tests.simulator.rawclient import speak


async def read(data: bytes) -> object:
    reader = asyncio.StreamReader(limit=1000)
    reader.feed_data(data)
    reader.feed_eof()
    return await read_request(reader, bytearray().extend)


async def test_a_request_is_kept_as_it_arrived(sim: Simulator) -> None:
    head = b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nX-A:  1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n"
    await speak(sim.base_url, head + b"abc")
    (received,) = sim.requests
    assert (received.method, received.path, received.query) == ("POST", "/v1/x", "y=1")
    assert received.headers[1:3] == [("X-A", "1"), ("x-a", "2")]
    assert received.header("x-a") == "1"
    assert received.body == b"abc"


async def test_a_chunked_body_is_joined(sim: Simulator) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    await speak(sim.base_url, head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
    assert sim.requests[0].body == b"abcde"


async def test_a_client_that_waits_is_told_to_go_on(sim: Simulator) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    reply = await speak(sim.base_url, head + b"a")
    assert reply.interim.startswith(b"HTTP/1.1 100 Continue")


@pytest.mark.parametrize(
    "data",
    [
        b"GET /",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
        b"GET / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab",
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 2000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(RequestMalformed):
        await read(data)


async def test_an_end_between_requests_is_no_request() -> None:
    assert await read(b"") is None


async def test_a_malformed_request_is_answered(sim: Simulator) -> None:
    assert (await speak(sim.base_url, b"nonsense\r\n\r\n")).status == 400


def test_heads() -> None:
    assert head_bytes(200, [("a", "b")]) == b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"
    assert head_bytes(599, []).startswith(b"HTTP/1.1 599 Unknown\r\n")
