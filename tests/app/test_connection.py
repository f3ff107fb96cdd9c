"""What the application may do with a client's connection. What it hears of it: test_protocol."""

import pytest

from tests.fakes.served import BOTH_LOOPS, serving

pytestmark = pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)


async def test_pieces_in_chunks_are_written_at_once() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /pieces HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"transfer-encoding: chunked" in await client.head()
        expected = b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
        assert await client.reader.readexactly(len(expected)) == expected
        assert server.app.heard == []


@pytest.mark.parametrize(("method", "body"), [("GET", b"firstsecond"), ("HEAD", b"")])
async def test_what_has_a_length_or_no_body_is_left_to_send(method: str, body: bytes) -> None:
    async with serving() as server:
        request = f"{method} /pieces?11 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        client = await server.connect(request.encode())
        await client.head()
        assert await client.rest() == body
        assert server.app.heard == ["not at once", "not at once"]


async def test_to_a_client_that_does_not_read_nothing_more_is_written() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /gush HTTP/1.1\r\nhost: a\r\n\r\n")
        await server.app.until("not at once")
        assert server.app.sent_bytes < 2**26
        client.writer.transport.abort()


async def test_a_head_and_the_first_piece_leave_together_where_the_length_is_told() -> None:
    async with serving() as server:
        client = await server.connect(b"GET /begun?11 HTTP/1.1\r\nhost: a\r\n\r\n" * 2)
        expected = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nx-a: 1\r\n\r\nfirstsecond" * 2
        assert await client.reader.readexactly(len(expected)) == expected
        assert server.app.heard == []


@pytest.mark.parametrize(
    ("asked", "rest"),
    [("GET /begun", b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"), ("HEAD /begun?11", b"")],
)
async def test_a_head_without_a_length_or_without_a_body_is_left_to_send(
    asked: str, rest: bytes
) -> None:
    async with serving() as server:
        request = f"{asked} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        client = await server.connect(request.encode())
        assert b"connection: close" in await client.head()
        assert await client.rest() == rest
        assert server.app.heard == ["not at once"]


async def test_a_connection_that_ends_says_so_in_the_head() -> None:
    async with serving() as server:
        request = b"GET /begun?11 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        client = await server.connect(request)
        assert b"connection: close" in await client.head()
        assert await client.rest() == b"firstsecond"
