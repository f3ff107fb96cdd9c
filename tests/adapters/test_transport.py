"""Who gets which connection, and that none is ever lost."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from gateway.adapters.transport import FastTransport, Pool, RawHeaders, request_head
from tests.fakes.rawserver import Peer, RawServer, Script, Step, forever, hang, read_request, send

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


def only_pool(fast: FastTransport) -> Pool:
    (pool,) = fast._pools.values()
    return pool


async def test_it_is_a_transport_for_httpx_as_well() -> None:
    async with RawServer([SERVE]) as server, transport() as fast:
        async with httpx.AsyncClient(transport=fast) as client:
            response = await client.post(server.url, json={})
        assert (response.status_code, response.text) == (200, "ok")
        assert server.requests[0].endswith(b"\r\n\r\n{}")


def test_raw_headers_are_headers_to_httpx() -> None:
    fields = [(b"Set-Cookie", b"a=1"), (b"X", b"\xe9"), (b"set-cookie", b"b=2")]
    ours = httpx.Response(200, headers=RawHeaders(fields)).headers
    stock = httpx.Headers(fields)
    assert (ours, ours.raw, ours.multi_items()) == (stock, fields, stock.multi_items())
    assert (ours["x"], ours.get_list("Set-cookie")) == ("\xe9", ["a=1", "b=2"])


def test_a_head_is_written_as_given() -> None:
    fields = [(b"Host", b"h"), (b"X", b"\xe9"), (b"X", b"2")]
    asked = httpx.Request("GET", "http://h/a?b", headers=fields, stream=httpx.ByteStream(b""))
    assert request_head(asked) == b"GET /a?b HTTP/1.1\r\nHost: h\r\nX: \xe9\r\nX: 2\r\n\r\n"


@pytest.mark.parametrize("value", [b"a\nb", b"a\rb", b"a\r\nb: c", b"a\0b"])
def test_a_control_character_stops_a_head(value: bytes) -> None:
    asked = httpx.Request("GET", "http://h/", headers=[(b"x", value)], stream=httpx.ByteStream(b""))
    with pytest.raises(httpx.LocalProtocolError):
        request_head(asked)


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


async def test_a_sweep_closes_what_is_idle_and_keeps_the_rest() -> None:
    async with RawServer([SERVE]) as server, transport(idle_seconds_max=100) as fast:
        replies = [await fast.handle_async_request(request(server.url)) for _ in range(3)]
        for reply in replies:
            await reply.aclose()
        pool = only_pool(fast)
        pool._idle[0].parked_at -= 200
        pool._idle[1].abort()
        pool._sweep()
        assert len(pool._idle) == 1
        assert pool._sweeper is not None
        pool._sweeper.cancel()
        pool._idle[0].parked_at -= 200
        pool._sweep()
        assert not pool._idle


async def test_an_expired_connection_is_passed_over_before_it_is_swept() -> None:
    async with RawServer([SERVE]) as server, transport(idle_seconds_max=100) as fast:
        await ask(fast, server.url)
        only_pool(fast)._idle[0].parked_at -= 200
        await ask(fast, server.url)
        assert server.connections == 2


async def test_a_failed_connection_leaves_its_slot_to_the_next_in_line() -> None:
    async with RawServer([]) as server:
        url = server.url
    async with transport(connections_max=1) as fast:
        errors = await asyncio.gather(*[failure(fast, url) for _ in range(5)])
        assert {type(error) for error in errors} == {httpx.ConnectError}


async def test_closing_turns_away_who_waits_and_who_comes() -> None:
    async with RawServer([SERVE]) as server, transport(connections_max=1) as fast:
        first = await fast.handle_async_request(request(server.url))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(failure(fast, server.url))
            while not only_pool(fast)._line:
                await asyncio.sleep(0)
            await fast.aclose()
        assert isinstance(waiting.result(), httpx.ConnectError)
        assert isinstance(await failure(fast, server.url), httpx.ConnectError)
        await first.aclose()


async def failure(fast: FastTransport, url: str) -> httpx.TransportError:
    with pytest.raises(httpx.TransportError) as caught:
        await ask(fast, url)
    return caught.value


@pytest.mark.parametrize("is_clean", [True, False], ids=["a connection", "a slot"])
async def test_what_reaches_a_waiter_that_has_just_left_goes_to_the_next(is_clean: bool) -> None:
    def script(number: int) -> Script:
        answer = OK if is_clean or number else OK.replace(b"2", b"3")
        return [read_request, send(answer), *([SERVE] if is_clean or number else [hang])]

    async with RawServer(script) as server, transport(connections_max=1) as fast:
        first = await fast.handle_async_request(request(server.url))
        pool = only_pool(fast)
        leaving = asyncio.ensure_future(ask(fast, server.url))
        staying = asyncio.ensure_future(ask(fast, server.url))
        while len(pool._line) < 2:
            await asyncio.sleep(0)
        waiter = pool._line[0]
        await first.aclose()
        while not waiter.done():
            await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == b"ok"
        assert leaving.cancelled()
        assert (pool._pending, len(pool._open)) == (0, 1)


async def test_no_slot_is_lost_whatever_is_cancelled() -> None:
    chance = random.Random(7)

    def script(number: int) -> Script:
        answers: list[Step] = [send(OK), send(OK[:-1]), send(OK[:9]), send(b"x")]
        return [read_request, answers[number % 4], *([SERVE] if number % 4 == 0 else [])]

    async def leave(fast: FastTransport, url: str) -> None:
        task = asyncio.ensure_future(ask(fast, url, pool=chance.choice([0.001, 5])))
        for _ in range(chance.randrange(30)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with RawServer(script) as server, transport(connections_max=3) as fast:
        await asyncio.gather(*[leave(fast, server.url) for _ in range(300)])
        pool = only_pool(fast)
        while len(pool._open) > len(pool._idle):
            await asyncio.sleep(0)
        assert pool._pending == 0
        assert len(pool._open) <= 3
        assert not any(not waiter.done() for waiter in pool._line)


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
