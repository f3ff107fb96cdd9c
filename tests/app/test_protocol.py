"""The protocol on real sockets, on both event loops: upgrades, half-closed clients, hang-ups."""

import asyncio
import socket
import struct

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.server import ServerState

from tests.fakes.served import BOTH_LOOPS, GET, POST, STREAM, STREAMED, App, refusal, serving

H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
H2C_POST = b"POST /echo HTTP/1.1\r\nhost: a\r\n" + H2C + b"content-length: 5\r\n\r\nhello"
H2C_CHUNKED = (
    b"POST /echo HTTP/1.1\r\nhost: a\r\n" + H2C + b"transfer-encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
)

pytestmark = pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)


@pytest.mark.parametrize("request_bytes", [H2C_POST, H2C_CHUNKED], ids=["length", "chunked"])
async def test_an_h2c_offer_loses_no_byte_of_the_body(request_bytes: bytes) -> None:
    head, _, body = request_bytes.partition(b"\r\n\r\n")
    splits = (
        [request_bytes],
        [head + b"\r\n\r\n", body],
        [request_bytes[at : at + 1] for at in range(len(request_bytes))],
    )
    async with serving() as server:
        for segments in splits:
            client = await server.connect(*segments)
            echoed = await client.echoed()
            assert (echoed["method"], echoed["body"]) == ("POST", "hello")
            assert echoed["headers"]["connection"] == "HTTP2-Settings"
            await client.send(POST)
            assert (await client.echoed())["body"] == "hello", "the connection is kept"


async def test_h2c_offers_in_a_pipeline_are_answered_in_order() -> None:
    async with serving() as server:
        client = await server.connect(H2C_POST + GET + H2C_CHUNKED + POST)
        bodies = [(await client.echoed())["body"] for _ in range(4)]
        assert bodies == ["hello", "", "hello", "hello"]


async def test_a_declined_offer_keeps_its_version_and_its_close() -> None:
    offer = b"POST /echo HTTP/1.0\r\n" + H2C + b"content-length: 5\r\n\r\nhello"
    closing = H2C_POST.replace(b"Upgrade, ", b"Upgrade, close, ") + b"more"
    async with serving() as server:
        client = await server.connect(offer)
        assert (await client.echoed())["version"] == "1.0"
        client = await server.connect(closing)
        assert (await client.echoed())["body"] == "hello"
        assert await client.rest() == b""


async def test_a_websocket_offer_reaches_the_application() -> None:
    offer = (
        b"GET /upgrade HTTP/1.1\r\nhost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with serving() as server:
        client = await server.connect(offer)
        assert await client.reply() == (426, b"no")
        await client.send(POST)
        assert (await client.echoed())["body"] == "hello"


async def test_connect_is_refused() -> None:
    async with serving() as server:
        client = await server.connect(b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\nbytes")
        assert refusal(await client.rest()) == (400, "invalid_http")
        assert server.app.connections == []


async def test_a_half_closed_client_gets_its_whole_answer() -> None:
    async with serving() as server:
        client = await server.connect(STREAM)
        await server.app.until("first")
        client.writer.write_eof()
        server.app.go_on.set()
        assert (await client.rest()).endswith(STREAMED)
        await server.app.until("streamed")


async def test_a_half_close_in_the_middle_of_a_body_ends() -> None:
    async with serving() as server:
        client = await server.connect(
            b"POST /wait HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"
        )
        await server.app.until("got 4")
        client.writer.write_eof()
        assert await client.rest() == b""
        await server.app.until("disconnect")
        assert server.app.connections[0].is_gone


async def test_a_half_close_in_the_body_behind_a_request_does_not_cut_its_answer() -> None:
    async with serving() as server:
        client = await server.connect(STREAM, POST[:-1])
        await server.app.until("first")
        client.writer.write_eof()
        server.app.go_on.set()
        assert (await client.rest()).endswith(STREAMED)
        assert server.app.heard == ["first", "streamed"]


async def test_an_idle_client_that_half_closes_is_closed() -> None:
    async with serving() as server:
        client = await server.connect(POST)
        await client.echoed()
        client.writer.write_eof()
        assert await client.rest() == b""


async def test_a_client_that_resets_is_gone_at_once() -> None:
    async with serving() as server:
        client = await server.connect(STREAM)
        await server.app.until("first")
        assert not server.app.connections[0].is_gone
        linger = struct.pack("ii", 1, 0)
        client.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        client.writer.transport.abort()
        while not server.app.connections[0].is_gone:
            await asyncio.sleep(0)
        server.app.go_on.set()
        await server.app.until("gone")


async def test_a_client_that_closes_is_gone_when_it_is_written_to() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n")
        await client.head()
        client.writer.close()
        await server.app.until("gone")


async def test_an_abort_never_looks_like_a_clean_end() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /abort HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await client.rest()).endswith(b"x\r\n")
        await server.app.until("gone")


async def test_two_requests_in_a_pipeline_get_two_answers() -> None:
    async with serving() as server:
        client = await server.connect(POST + POST)
        assert [(await client.echoed())["body"] for _ in range(2)] == ["hello", "hello"]
        await client.send(GET)
        assert (await client.echoed())["body"] == ""


async def test_the_private_names_of_uvicorn_that_the_protocol_uses() -> None:
    config = uvicorn.Config(App.__call__, ws="none", lifespan="off", log_config=None)
    protocol = httptools_impl.HttpToolsProtocol(config, ServerState(), {})
    for name in (
        "cycle", "flow", "headers", "loop", "parser", "pipeline", "scope", "transport",
        "_start_asgi_task", "_unset_keepalive_if_required", "connection_lost", "connection_made",
        "data_received", "eof_received", "on_headers_complete", "on_message_begin",
        "on_message_complete", "pause_writing", "resume_writing",
    ):  # fmt: skip
        assert hasattr(protocol, name), name
    slots = httptools_impl.RequestResponseCycle.__init__.__code__.co_names
    for name in (
        "chunked_encoding", "disconnected", "flow", "keep_alive", "message_event",
        "response_complete", "response_started", "transport",
    ):  # fmt: skip
        assert name in slots, name
    assert httptools_impl.STATUS_LINE[431].startswith(b"HTTP/1.1 431 ")
