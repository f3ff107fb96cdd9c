"""Which connection a request takes, and what becomes of it: by both transports."""

import asyncio
import re

import pytest

from gateway.adapters.upstream import Timeouts
from gateway.core.errors import UpstreamTimeout
from tests.fakes.door import CHUNKED, KINDS, LOOPS, OK, Kind, ask, failure, post, read, upstream_at
from tests.fakes.rawserver import (
    RawServer,
    Step,
    close,
    flood,
    forever,
    half_close,
    hang,
    read_request,
    reset,
    send,
)


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    backend: tuple[str, dict[str, bool]] = request.param
    return backend


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


# Connections.


async def test_a_thousand_requests_use_one_connection(kind: Kind) -> None:
    script = [forever(read_request, send(OK))]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        assert {await ask(up) for _ in range(1000)} == {b"ok"}
        assert (server.connections, len(server.requests)) == (1, 1000)


async def test_two_hundred_at_once(kind: Kind) -> None:
    script = [forever(read_request, send(OK))]
    async with (
        RawServer(script) as server,
        upstream_at(server.url, kind, connections_max=50) as up,
    ):
        bodies = [b"{%d}" % number for number in range(200)]
        assert set(await asyncio.gather(*[ask(up, body) for body in bodies])) == {b"ok"}
        assert server.connections <= 50
        assert sorted(re.findall(rb"\{\d+\}", b"".join(server.requests))) == sorted(bodies)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(kind: Kind, answer: bytes) -> None:
    script = [read_request, send(answer), hang]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        assert [await ask(up), await ask(up)] == [b"ok", b"ok"]
        assert server.connections == 2


async def test_an_answer_too_many_never_becomes_someone_elses() -> None:
    """Ours only: the stock transport gives the second answer to the next request."""
    evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    script = [read_request, send(OK + evil), hang]
    async with RawServer(script) as server, upstream_at(server.url, "fast") as up:
        assert [await ask(up), await ask(up)] == [b"ok", b"ok"]
        assert server.connections == 2


async def test_words_on_an_idle_connection_never_become_an_answer() -> None:
    """Ours only: the stock transport may take such a 408 for the answer to the next request."""
    is_over = asyncio.Event()

    async def tell(peer: object) -> None:
        is_over.set()

    script = [read_request, send(OK), send(b"HTTP/1.1 408 T\r\n\r\n"), tell, hang]
    async with RawServer(script) as server, upstream_at(server.url, "fast") as up:
        assert await ask(up) == b"ok"
        await is_over.wait()
        assert await ask(up) == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize("farewell", [close, half_close])
async def test_a_stale_connection_is_replaced_before_anything_is_written(
    kind: Kind, farewell: Step
) -> None:
    is_over = asyncio.Event()

    async def tell(peer: object) -> None:
        is_over.set()

    script = [read_request, send(OK), farewell, tell, hang]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        assert await ask(up) == b"ok"
        await is_over.wait()
        assert await ask(up) == b"ok"
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_a_request_on_a_dying_connection_is_never_sent_twice(kind: Kind) -> None:
    script = [read_request, send(OK), read_request, reset]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        assert await ask(up) == b"ok"
        error = await failure(up)
        assert (error.code, error.is_sent) == ("upstream_reset", True)
        assert (server.connections, len(server.requests)) == (1, 2)


async def test_an_idle_connection_expires(kind: Kind) -> None:
    is_closed = asyncio.Event()

    async def tell(peer: object) -> None:
        is_closed.set()

    script = [read_request, send(OK), hang, tell]
    async with (
        RawServer(script) as server,
        upstream_at(server.url, kind, idle_seconds_max=0.05) as up,
    ):
        assert await ask(up) == b"ok"
        if kind == "fast":  # the stock pool looks at its connections at the next request only
            await asyncio.wait_for(is_closed.wait(), 5)
        else:
            await asyncio.sleep(0.1)
        assert await ask(up) == b"ok"
        assert server.connections == 2


async def test_who_finds_no_connection_waits_in_line(kind: Kind) -> None:
    script = [forever(read_request, send(OK))]
    async with (
        RawServer(script) as server,
        upstream_at(server.url, kind, connections_max=1) as up,
    ):
        first = await post(up)
        order: list[int] = []

        async def wait(number: int) -> None:
            await ask(up)
            order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(wait(number))
                await asyncio.sleep(0)
            await read(first)
        assert (order, server.connections) == ([0, 1, 2, 3, 4], 1)


async def test_the_line_has_its_timeout(kind: Kind) -> None:
    limits = Timeouts(pool_seconds=0.05)
    async with (
        RawServer([forever(read_request, send(OK))]) as server,
        upstream_at(server.url, kind, connections_max=1, timeouts=limits) as up,
    ):
        first = await post(up)
        error = await failure(up)
        assert isinstance(error, UpstreamTimeout)
        assert (error.code, error.is_sent) == ("upstream_pool_timeout", False)
        await read(first)
        assert await ask(up) == b"ok"


async def test_a_cancelled_request_closes_its_connection_and_frees_its_slot(kind: Kind) -> None:
    is_closed = asyncio.Event()

    async def tell(peer: object) -> None:
        is_closed.set()

    def script(number: int) -> list[Step]:
        return [read_request, hang, tell] if number == 0 else [read_request, send(OK), hang]

    async with (
        RawServer(script) as server,
        upstream_at(server.url, kind, connections_max=1) as up,
    ):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ask(up))
            await server.until(lambda it: bool(it.requests))
            task.cancel()
        await asyncio.wait_for(is_closed.wait(), 5)
        assert await ask(up) == b"ok"
        assert server.connections == 2


async def test_a_reply_closed_early_closes_its_connection(kind: Kind) -> None:
    script = [read_request, send(CHUNKED + b"1\r\na\r\n"), hang]
    async with (
        RawServer(script) as server,
        upstream_at(server.url, kind, connections_max=1) as up,
    ):
        for _ in range(3):
            reply = await post(up)
            assert await anext(reply.chunks()) == b"a"
            await reply.aclose()
            await reply.aclose()
        assert server.connections == 3


async def test_a_reader_that_stops_stops_the_upstream(kind: Kind) -> None:
    total = 32 * 2**20
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total
    async with (
        RawServer([read_request, send(head), flood(total), hang]) as server,
        upstream_at(server.url, kind) as up,
    ):
        reply = await post(up)
        pieces = reply.chunks()
        await anext(pieces)
        with pytest.raises(TimeoutError):  # a broken brake lets it finish well within this
            await asyncio.wait_for(server.until(lambda it: it.sent_bytes >= total), 0.5)
        assert server.sent_bytes < 2 * 2**20
        rest = 0
        async for piece in pieces:
            rest += len(piece)
        await reply.aclose()
        assert total - 65536 <= rest < total
