"""Clients that are slow, silent, stalled or send too much of a head: each ends by a limit."""

import asyncio

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from gateway.app import protocol
from gateway.app.protocol import BODY_PIECE_BYTES, IngressLimits, protocol_with
from tests.fakes.served import (
    BOTH_LOOPS,
    GET,
    POST,
    SOON_SECONDS,
    STREAM,
    STREAMED,
    App,
    Server,
    refusal,
    serving,
)

pytestmark = pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)


@pytest.mark.parametrize("sent", [b"", b"POST /echo HTTP/1.1\r\nhost"], ids=["silent", "slow"])
async def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async with serving(head_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(sent)
        assert await client.rest() == b""


async def test_a_slow_head_behind_an_answered_request_ends_the_connection() -> None:
    async with serving(head_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(POST)
        await client.echoed()
        await client.send(b"POST ")
        assert await client.rest() == b""


async def test_a_slow_head_behind_a_long_answer_waits_for_it() -> None:
    async with serving(head_seconds_max=SOON_SECONDS) as server:
        slow = await server.connect(STREAM + b"POST ")
        await server.app.until("first")
        assert await (await server.connect()).rest() == b"", "a limit's time has passed"
        server.app.go_on.set()
        assert (await slow.rest()).endswith(STREAMED)


async def test_a_long_answer_is_no_slow_head() -> None:
    async with serving(head_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(STREAM)
        await server.app.until("first")
        assert await (await server.connect()).rest() == b"", "a limit's time has passed"
        server.app.go_on.set()
        await client.reader.readuntil(STREAMED)
        await client.send(POST)
        assert (await client.echoed())["body"] == "hello"


async def test_the_rest_of_an_answered_requests_body_keeps_no_connection() -> None:
    async with serving(keep_alive_seconds=SOON_SECONDS) as server:
        client = await server.connect(POST.replace(b"/echo", b"/early")[:-1])
        assert await client.reply() == (401, b"who")
        await client.send(b"o")
        assert await client.rest() == b""


async def test_an_idle_time_that_has_begun_does_not_cut_a_head() -> None:
    async with serving(keep_alive_seconds=SOON_SECONDS) as server:
        client = await server.connect(POST)
        await client.echoed()
        await client.send(GET[:9])
        await idled(server)
        await client.send(GET[9:])
        assert (await client.echoed())["body"] == ""


async def test_an_idle_time_that_has_begun_does_not_cut_an_answer() -> None:
    async with serving(keep_alive_seconds=SOON_SECONDS) as server:
        client = await server.connect(POST + STREAM[:9])
        await client.echoed()
        await client.send(STREAM[9:])
        await server.app.until("first")
        await idled(server)
        server.app.go_on.set()
        await client.reader.readuntil(STREAMED)


async def idled(server: Server) -> None:
    """Wait as long as a connection may idle."""
    client = await server.connect(POST)
    await client.echoed()
    assert await client.rest() == b""


async def test_a_reader_that_stalls_is_cut_and_no_one_else_is_hurt() -> None:
    async with serving(write_stall_seconds_max=SOON_SECONDS) as server:
        stalled = await server.connect(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n")
        await stalled.head()
        # The reader's own buffer is bounded: it stops reading from the socket, and so do we.
        other = await server.connect(STREAM)
        await server.app.until("gone")
        assert server.app.connections[0].is_gone
        server.app.go_on.set()
        await other.reader.readuntil(STREAMED)
        await other.send(POST)
        assert (await other.echoed())["body"] == "hello"


class Wire(asyncio.Transport):
    """A transport of which only the end is of interest."""

    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        pass


async def test_a_reader_that_goes_on_is_not_cut() -> None:
    config = uvicorn.Config(App(), ws="none", lifespan="off", log_config=None)
    kind = protocol_with(IngressLimits(write_stall_seconds_max=0))
    protocol, wire = kind(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    protocol.pause_writing()
    protocol.resume_writing()
    await asyncio.sleep(0.01)
    assert not wire.is_aborted
    protocol.pause_writing()
    while not wire.is_aborted:
        await asyncio.sleep(0)
    protocol.connection_lost(None)


LARGE = b"x" * 70 * 1024
LARGE_HEAD = b"GET /echo HTTP/1.1\r\nhost: a\r\n"


@pytest.mark.parametrize(
    "head",
    [
        LARGE_HEAD + b"x-large: " + LARGE + b"\r\n\r\n",
        LARGE_HEAD + b"".join(b"x-%d: value\r\n" % n for n in range(7000)),
        LARGE_HEAD + b"x-unfinished: " + LARGE,
        b"GET /" + LARGE + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
    ids=["one", "many", "unfinished", "url"],
)
@pytest.mark.parametrize("piece_bytes", [1_000, 1_000_000], ids=["pieces", "whole"])
async def test_a_large_head_is_refused(head: bytes, piece_bytes: int) -> None:
    segments = [head[at : at + piece_bytes] for at in range(0, len(head), piece_bytes)]
    async with serving() as server:
        client = await server.connect(*segments)
        assert refusal(await client.rest()) == (431, "headers_too_large")
        assert server.app.connections == []
        client = await server.connect(POST)
        assert (await client.echoed())["body"] == "hello"


async def test_a_head_within_the_limit_is_served_in_any_pieces() -> None:
    head = LARGE_HEAD + b"x-large: " + b"x" * 60 * 1024 + b"\r\n\r\n"
    async with serving() as server:
        client = await server.connect(*[head[at : at + 4096] for at in range(0, len(head), 4096)])
        assert len((await client.echoed())["headers"]["x-large"]) == 60 * 1024


async def test_a_body_is_not_counted_as_the_next_head() -> None:
    long = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000
    async with serving(header_bytes_max=1000) as server:
        client = await server.connect(long + GET[:9], GET[9:])
        assert len((await client.echoed())["body"]) == 100_000
        assert (await client.echoed())["body"] == ""


SLOW_HEAD = b"POST /wait HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"some"], ids=["nothing", "some"])
async def test_a_body_that_stops_coming_is_refused(sent: bytes) -> None:
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        stalled = await server.connect(SLOW_HEAD, sent)
        other = await server.connect(STREAM)
        assert refusal(await stalled.rest()) == (408, "request_too_slow")
        await server.app.until("disconnect")
        server.app.go_on.set()
        await other.reader.readuntil(STREAMED)


async def test_a_byte_now_and_then_is_no_progress() -> None:
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        dripping = await server.connect(SLOW_HEAD)
        reading = asyncio.ensure_future(dripping.rest())
        while not reading.done():
            await dripping.send(b"x")
            await asyncio.sleep(SOON_SECONDS / 20)
        assert refusal(reading.result()) == (408, "request_too_slow")


async def test_a_body_that_goes_on_is_read_however_long_it_takes() -> None:
    piece = b"x" * BODY_PIECE_BYTES
    length = 8 * len(piece)
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(
            b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % length
        )
        for _ in range(8):
            await asyncio.sleep(SOON_SECONDS / 4)
            await client.send(piece)
        assert len((await client.echoed())["body"]) == length


async def test_a_body_that_the_application_does_not_read_is_no_slow_one() -> None:
    length = 4 * HIGH_WATER_LIMIT
    head = b"POST /late HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % length
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(head)
        client.writer.write(b"x" * length)
        await server.app.until("late")
        assert await (await server.connect(SLOW_HEAD)).rest(), "a limit's time has passed"
        server.app.go_on.set()
        assert await client.reply() == (200, b"%d" % length)


async def test_a_body_that_stops_under_its_answer_ends_without_a_second_one() -> None:
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(SLOW_HEAD.replace(b"/wait", b"/early"), b"some")
        assert await client.reply() == (401, b"who")
        assert await client.rest() == b""


async def test_a_body_that_came_in_pieces_is_whole_under_a_long_answer() -> None:
    async with serving(body_stall_seconds_max=SOON_SECONDS) as server:
        client = await server.connect(POST.replace(b"/echo", b"/stream")[:-3])
        await asyncio.sleep(SOON_SECONDS / 10)
        await client.send(POST[-3:])
        await server.app.until("first")
        assert await (await server.connect(SLOW_HEAD)).rest(), "a limit's time has passed"
        server.app.go_on.set()
        await client.reader.readuntil(STREAMED)
        await client.send(POST)
        assert (await client.echoed())["body"] == "hello"


async def test_one_connection_too_many_is_told_and_closed() -> None:
    async with serving(connections_max=1) as server:
        first = await server.connect(POST)
        await first.echoed()
        second = await server.connect(POST)
        assert refusal(await second.rest()) == (503, "overloaded")
        assert server.app.heard == ["echo"]
        await first.send(POST)
        await first.echoed()


async def test_a_probe_is_answered_beyond_the_limit_and_no_second_request() -> None:
    async with serving(connections_max=1) as server:
        await server.connect()
        for path in (b"/livez", b"/readyz"):
            probe = await server.connect(GET.replace(b"/echo", path) + POST)
            head, _, content = (await probe.rest()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in head
            assert content == b"ok"


async def test_of_connections_for_probes_there_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PROBES_AT_ONCE", 1)
    async with serving(connections_max=1) as server:
        await server.connect()
        await server.connect()
        third = await server.connect()
        assert refusal(await third.rest()) == (503, "overloaded")
