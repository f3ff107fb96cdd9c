"""Who gets which connection, and that none is ever lost."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from gateway.adapters.transport import FastTransport, request_head
from tests.fakes.rawserver import Peer, RawServer, Script, forever, read_request, send

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SERVE = forever(read_request, send(OK))


@asynccontextmanager
async def transport(
    connections_max: int = 10, idle_seconds_max: float = 15
) -> AsyncIterator[FastTransport]:
    fast = FastTransport(
        connections_max=connections_max,
        idle_seconds_max=idle_seconds_max,
        ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    try:
        yield fast
    finally:
        await fast.aclose()


def request(
    url: str, *, timeout: dict[str, float] | None = None, body: bytes = b""
) -> httpx.Request:
    headers = [(b"host", b"x"), (b"content-length", b"%d" % len(body))]
    extensions = {"timeout": timeout or {}}
    stream = httpx.ByteStream(body)
    return httpx.Request("POST", url, headers=headers, stream=stream, extensions=extensions)


async def ask(fast: FastTransport, url: str, **options: float) -> bytes:
    response = await fast.handle_async_request(request(url, timeout=options))
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def test_it_is_a_transport_for_httpx_as_well() -> None:
    async with RawServer([SERVE]) as server, transport() as fast:
        async with httpx.AsyncClient(transport=fast) as client:
            response = await client.post(server.url, json={})
        assert (response.status_code, response.text) == (200, "ok")
        assert server.requests[0].endswith(b"\r\n\r\n{}")


def test_a_head_is_written_as_given() -> None:
    fields = [(b"Host", b"h"), (b"X", b"\xe9"), (b"X", b"2")]
    head = request_head("GET", b"/a?b", fields)
    assert head == b"GET /a?b HTTP/1.1\r\nHost: h\r\nX: \xe9\r\nX: 2\r\n\r\n"


@pytest.mark.parametrize("value", [b"a\nb", b"a\rb", b"a\r\nb: c", b"a\0b"])
def test_a_control_character_stops_a_head(value: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_head("GET", b"/", [(b"x", value)])


class Blocking(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"x"


async def test_what_it_cannot_send_it_refuses() -> None:
    async with transport() as fast:
        with pytest.raises(httpx.UnsupportedProtocol):
            await fast.handle_async_request(request("ftp://h/"))
        blocking = httpx.Request("POST", "http://h/", stream=Blocking())
        with pytest.raises(httpx.LocalProtocolError):
            await fast.handle_async_request(blocking)


async def test_each_origin_has_its_pool_and_the_last_used_connection_is_next() -> None:
    async with RawServer([SERVE]) as one, RawServer([SERVE]) as two, transport() as fast:
        replies = [await fast.handle_async_request(request(one.url)) for _ in range(3)]
        for reply in replies:
            await reply.aread()
            await reply.aclose()
        for _ in range(5):
            await ask(fast, one.url)
            await ask(fast, two.url)
        assert (one.connections, two.connections) == (3, 1)
        pool = next(iter(fast._pools.values()))
        last = pool._idle[-1]
        await ask(fast, one.url)
        assert pool._idle[-1] is last


async def test_a_closed_reply_reads_nothing_more() -> None:
    """Its connection may be someone else's by now."""
    async with RawServer([SERVE]) as server, transport() as fast:
        response = await fast.handle_async_request(request(server.url))
        await response.stream.aclose()  # type: ignore[union-attr]  # httpx: sync or async
        with pytest.raises(httpx.ReadError):
            await response.aread()


async def test_an_upstream_that_closes_at_any_moment_sees_no_request_twice() -> None:
    """The race of keep-alive: it may cost a request, it never doubles one."""
    chance = random.Random(11)

    def script(number: int) -> Script:
        async def dawdle(peer: object) -> None:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)

        async def read_and_close(peer: Peer) -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.005):
                    await read_request(peer)  # it may act on it, and nobody will hear of that

        last = [read_and_close] if chance.random() < 0.3 else []
        return [read_request, send(OK), dawdle, *last]

    async with RawServer(script) as server, transport() as fast:
        answered = 0
        for number in range(500):
            asked = request(server.url, body=b"%d" % number)
            try:
                response = await fast.handle_async_request(asked)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                continue
            answered += 1
            await response.aread()
            await response.aclose()
        bodies = [seen.rpartition(b"\r\n\r\n")[2] for seen in server.requests]
        assert len(set(bodies)) == len(bodies)
        assert answered <= len(bodies) <= 500
        assert len(bodies) > answered > 250
