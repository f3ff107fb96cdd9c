"""What a connection does with its socket, its clock and its buffer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.adapters.connection import READ_BYTES_MAX, UNREAD_BYTES_MAX, Connection
from tests.fakes.rawserver import RawServer, Script, flood, hang, read_request, send, wait_for

HEAD = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(
            read_buffer=memoryview(bytearray(READ_BYTES_MAX)), on_lost=lambda _: None
        ),
        "127.0.0.1",
        port,
    )
    return connection


@asynccontextmanager
async def connected(script: Script) -> AsyncIterator[Connection]:
    async with RawServer(script) as server:
        connection = await connect(server.port)
        try:
            yield connection
        finally:
            connection.abort()


async def run(connection: Connection) -> bytes | None:
    await connection.exchange(HEAD, b"", is_head=False, phases={})
    return await connection.next_chunk(None)


async def test_a_whole_exchange_leaves_a_connection_for_another() -> None:
    async with connected([read_request, send(OK), read_request, send(OK), hang]) as connection:
        for _ in range(2):
            assert await run(connection) == b"ok"
            assert await connection.next_chunk(None) is None
            assert connection.park()
            assert connection.is_silent


async def test_an_exchange_that_is_not_over_cannot_be_parked() -> None:
    answer = OK.replace(b": 2", b": 3")
    async with connected([read_request, send(answer), hang]) as connection:
        assert await run(connection) == b"ok"
        assert not connection.park()


async def test_the_socket_is_set_for_small_pieces_and_bounded_memory() -> None:
    async with connected([hang]) as connection:
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * 128 * 1024


async def test_a_close_is_seen_before_the_event_loop_has_seen_it() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    connection = await connect(listener.getsockname()[1])
    peer, _ = listener.accept()
    assert connection.is_silent
    peer.close()
    listener.close()
    assert connection.is_alive, "the loop cannot know yet: nothing was awaited"
    assert not connection.is_silent
    connection.abort()


async def test_nothing_is_written_on_a_dead_connection() -> None:
    async with connected([hang]) as connection:
        connection.abort()
        with pytest.raises(httpx.ConnectError):
            await run(connection)


async def test_a_peer_that_speaks_first_is_left() -> None:
    async with RawServer([send(OK), hang]) as server:
        lost = asyncio.Event()
        await asyncio.get_running_loop().create_connection(
            lambda: Connection(
                read_buffer=memoryview(bytearray(READ_BYTES_MAX)), on_lost=lambda _: lost.set()
            ),
            "127.0.0.1",
            server.port,
        )
        await asyncio.wait_for(lost.wait(), 5)


async def test_a_streams_events_cost_no_timer() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
    more = [asyncio.Event() for _ in range(3)]
    pieces = [step for event in more for step in (wait_for(event), send(b"x"))]
    async with connected([read_request, send(head), *pieces, hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={"read": 60})
        timers = []
        for event in more:
            event.set()
            assert await connection.next_chunk(60) == b"x"
            timers.append(connection._timer)
        assert timers[0] is not None
        assert all(timer is timers[0] for timer in timers)


async def test_a_timer_that_comes_too_early_waits_on() -> None:
    """Armed for the first piece, it fires while the second, awaited later, has time left."""
    more = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na"
    async with connected(
        [read_request, send(head), wait_for(more), send(b"b"), hang]
    ) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={"read": 0.2})
        assert await connection.next_chunk(0.2) == b"a"
        first = connection._timer
        waiting = asyncio.ensure_future(connection.next_chunk(60))
        while connection._timer is first:
            await asyncio.sleep(0.01)
        more.set()
        assert await waiting == b"b"


async def test_what_nobody_reads_is_bounded() -> None:
    total = 4 * 2**20
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total
    async with connected([read_request, send(head), flood(total), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})
        while not connection._is_read_paused:
            await asyncio.sleep(0)
        assert connection.response.chunk_bytes <= UNREAD_BYTES_MAX + READ_BYTES_MAX
        count = 0
        while (chunk := await connection.next_chunk(None)) is not None:
            assert connection.response.chunk_bytes <= UNREAD_BYTES_MAX + READ_BYTES_MAX
            count += len(chunk)
        assert count == total
        assert connection.park()


async def test_unread_rest_of_a_whole_response_does_not_stop_the_next() -> None:
    long = b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70_000
    async with connected([read_request, send(long), read_request, send(OK), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})
        while not connection.response.is_complete:
            await asyncio.sleep(0)
        assert connection.park()
        assert await run(connection) == b"ok"


async def poured(connection: Connection, *, seconds: float | None = None) -> list[bytes]:
    """The pieces of a body, each taken after a rest of the loop."""
    pieces: list[bytes] = []

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return True

    while await connection.pour(take, seconds):
        await asyncio.sleep(0)
    return pieces


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


async def test_a_body_is_poured_as_it_is_read_and_wakes_nobody() -> None:
    more = asyncio.Event()
    steps = [read_request, send(CHUNKED + b"1\r\na\r\n"), wait_for(more)]
    async with connected([*steps, send(b"1\r\nb\r\n1\r\nc\r\n" + END), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})
        pieces: list[bytes] = []
        pouring = asyncio.ensure_future(
            connection.pour(lambda piece: bool(pieces.append(piece)), 60)  # type: ignore[func-returns-value]  # it takes all
        )
        while not pieces:
            await asyncio.sleep(0)
        waiter = connection._waiter
        more.set()
        assert not await pouring
        assert pieces[0] == b"a"
        assert b"".join(pieces) == b"abc"
        assert waiter is not None
        assert connection.park()


async def test_who_wants_a_rest_gets_what_is_read_meanwhile_after_it() -> None:
    body = b"".join(b"1\r\n%c\r\n" % letter for letter in b"abcdefgh")
    async with connected([read_request, send(CHUNKED), send(body + END), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})
        assert b"".join(await poured(connection)) == b"abcdefgh"


async def test_what_fails_while_it_takes_fails_for_who_pours() -> None:
    async with connected([read_request, send(CHUNKED), send(b"1\r\na\r\n"), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})

        def take(piece: bytes) -> bool:
            raise ValueError(piece)

        with pytest.raises(ValueError, match="a"):
            await connection.pour(take, 60)


async def test_what_fails_while_it_takes_is_told_though_something_else_woke_it() -> None:
    async with connected([read_request, send(CHUNKED), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})

        def take(piece: bytes) -> bool:
            raise ValueError(piece)

        pouring = asyncio.ensure_future(connection.pour(take, 60))
        await asyncio.sleep(0)
        connection.resume_writing()  # the last of a request that was answered before its end
        piece = b"1\r\na\r\n"
        connection.get_buffer(-1)[: len(piece)] = piece
        connection.buffer_updated(len(piece))
        with pytest.raises(ValueError, match="a"):
            await pouring


async def test_a_body_that_falls_silent_while_it_is_poured_is_late() -> None:
    async with connected([read_request, send(CHUNKED + b"1\r\na\r\n"), hang]) as connection:
        await connection.exchange(HEAD, b"", is_head=False, phases={})
        with pytest.raises(httpx.ReadTimeout):
            await connection.pour(lambda _: False, 0.05)
