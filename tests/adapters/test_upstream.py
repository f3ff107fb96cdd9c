"""What passes the door to the upstream, by both transports, over real sockets."""

import asyncio

import httpx
import pytest

from gateway.adapters.upstream import Timeouts, Upstream, translated, transport_for
from gateway.core.errors import UpstreamUnavailable
from tests.fakes.door import (
    CHUNKED,
    KINDS,
    LOOPS,
    OK,
    PATIENT,
    Kind,
    ask,
    failure,
    post,
    read,
    upstream_at,
)
from tests.fakes.rawserver import (
    RawServer,
    forever,
    half_close,
    hang,
    ignore,
    read_bytes,
    read_request,
    send,
    send_apart,
    wait_for,
)


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    backend: tuple[str, dict[str, bool]] = request.param
    return backend


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


# What goes out.


async def test_a_request_carries_host_credential_and_length(kind: Kind) -> None:
    async with RawServer([read_request, send(OK)]) as server, upstream_at(server.url, kind) as up:
        headers = [(b"x-a", b"1"), (b"authorization", b"Bearer gw_x"), (b"host", b"evil")]
        reply = await up.send(method="POST", path="/r?b=%2F&c=d", headers=headers, body=b"{ }")
        assert await read(reply) == [b"ok"]
        head, body = server.requests[0].split(b"\r\n\r\n")
        start, *fields = head.split(b"\r\n")
        assert (start, body) == (b"POST /v1/r?b=%2F&c=d HTTP/1.1", b"{ }")
        host = b"host: 127.0.0.1:%d" % server.port
        own = [host, b"content-length: 3", b"authorization: Bearer sk-1", b"x-a: 1"]
        assert sorted(fields) == sorted(own)


async def test_a_request_without_a_body_has_no_length_and_an_empty_credential_is_not_sent() -> None:
    async with RawServer([read_request, send(OK)]) as server:
        up = Upstream(
            base_url=server.url,
            credential=str,
            transport=transport_for(kind="fast", connections_max=1),
            timeouts=Timeouts(),
        )
        reply = await up.send(method="GET", path="models", headers=[], body=b"")
        await read(reply)
        await up.aclose()
        expected = b"GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % server.port
        assert server.requests == [expected]


async def test_a_large_body_arrives_whole(kind: Kind) -> None:
    body = bytes(range(256)) * 2**16  # 16 MiB: more than any socket buffer
    async with RawServer([read_request, send(OK)]) as server, upstream_at(server.url, kind) as up:
        assert await ask(up, body) == b"ok"
        assert server.requests[0].endswith(b"\r\n\r\n" + body)


async def test_an_answer_before_the_whole_request_was_read_is_an_answer(kind: Kind) -> None:
    early = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"
    script = [read_bytes(1000), send(early), ignore]
    limits = Timeouts(write_seconds=0.2)
    async with RawServer(script) as server, upstream_at(server.url, kind, timeouts=limits) as up:
        if kind == "stock":  # it looks at the answer only after the whole body was written
            assert (await failure(up, b"x" * 2**24)).code == "upstream_write_timeout"
        else:
            reply = await post(up, b"x" * 2**24)
            assert (reply.status, await read(reply)) == (413, [])


@pytest.mark.parametrize("name", [b"x-a", b"authorization"])
async def test_a_control_character_never_goes_out(kind: Kind, name: bytes) -> None:
    async with RawServer([hang]) as server:
        transport = transport_for(kind=kind, connections_max=1)
        credential = "sk" if name == b"x-a" else "sk\r\nx: y"
        up = Upstream(
            base_url=server.url,
            credential=lambda: credential,
            transport=transport,
            timeouts=PATIENT,
        )
        with pytest.raises(UpstreamUnavailable) as caught:
            await up.send(method="POST", path="/r", headers=[(name, b"a\r\nb: c")], body=b"")
        await up.aclose()
        assert (caught.value.code, caught.value.is_sent) == ("upstream_request_invalid", False)
        assert server.requests == []


async def test_a_path_that_is_no_path_is_refused() -> None:
    async with upstream_at("http://127.0.0.1:9/v1", "fast") as up:
        with pytest.raises(UpstreamUnavailable) as caught:
            await up.send(method="GET", path="/a\x00b", headers=[], body=b"")
        assert (caught.value.code, caught.value.is_sent) == ("upstream_request_invalid", False)


# What comes back.


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_bytes_are_exact_however_they_are_cut(kind: Kind, size: int) -> None:
    body = b"data: \xe2\x82\xac\r\n\r\n:\x00\n\n" * 5
    framed = CHUNKED + b"%x;ext=1\r\n%b\r\n0\r\nX-Cost: 1\r\n\r\n" % (len(body), body)
    async with (
        RawServer([read_request, send_apart(framed, size)]) as server,
        upstream_at(server.url, kind) as up,
    ):
        reply = await post(up)
        assert reply.headers == [(b"transfer-encoding", b"chunked")]
        assert b"".join(await read(reply)) == body
        assert reply.headers == [(b"transfer-encoding", b"chunked")], "a trailer was merged"


async def test_pieces_are_neither_merged_nor_held_back(kind: Kind) -> None:
    more = asyncio.Event()
    steps = [read_request, send(CHUNKED + b"1\r\na\r\n2\r\nbc\r\n"), wait_for(more)]
    async with (
        RawServer([*steps, send(b"1\r\nd\r\n0\r\n\r\n")]) as server,
        upstream_at(server.url, kind) as up,
    ):
        reply = await post(up)
        pieces = reply.chunks()
        assert [await anext(pieces), await anext(pieces)] == [b"a", b"bc"]
        more.set()
        assert [piece async for piece in pieces] == [b"d"]
        await reply.aclose()


async def test_a_piece_is_at_most_64_kib(kind: Kind) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"
    script = [read_request, send(head + b"x" * 1_000_000)]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        pieces = await read(await post(up))
        assert sum(map(len, pieces)) == 1_000_000
        assert max(map(len, pieces)) <= 65536


async def test_headers_keep_order_duplicates_and_latin_1(kind: Kind) -> None:
    answer = b"HTTP/1.1 200 OK\r\nB: 1\r\nA: \r\nB:  \xe9 \r\nContent-Length: 0\r\n\r\n"
    async with (
        RawServer([read_request, send(answer)]) as server,
        upstream_at(server.url, kind) as up,
    ):
        reply = await post(up)
        assert await read(reply) == []
        assert reply.headers == [
            (b"B", b"1"),
            (b"A", b""),
            (b"B", b"\xe9"),
            (b"Content-Length", b"0"),
        ]


async def test_interim_responses_are_skipped(kind: Kind) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nlink: x\r\n\r\n"
    )
    script = [read_request, send(interim), send(OK)]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        reply = await post(up)
        assert reply.headers == [(b"content-length", b"2")]
        assert (reply.status, await read(reply)) == (200, [b"ok"])


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n"),
    ],
)
async def test_some_responses_have_no_body(kind: Kind, method: str, head: bytes) -> None:
    script = forever(read_request, send(head))
    async with RawServer([script]) as server, upstream_at(server.url, kind) as up:
        for _ in range(2):
            reply = await up.send(method=method, path="/models", headers=[], body=b"")
            assert await read(reply) == []


async def test_a_redirect_is_an_answer_and_a_cookie_is_not_kept(kind: Kind) -> None:
    answer = (
        b"HTTP/1.1 307 T\r\nlocation: http://169.254.169.254/\r\n"
        b"set-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    )
    async with (
        RawServer([forever(read_request, send(answer))]) as server,
        upstream_at(server.url, kind) as up,
    ):
        assert [(await post(up)).status for _ in range(2)] == [307, 307]
        assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"])
async def test_without_framing_the_close_is_the_end(kind: Kind, start: bytes) -> None:
    script = [read_request, send(start + b"\r\n\r\nab"), half_close, hang]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        reply = await post(up)
        assert b"".join(await read(reply)) == b"ab"
        assert await ask(up) == b"ab"
        assert server.connections == 2


# The retry, and the words for errors.


class UnreachableAtFirst(httpx.AsyncBaseTransport):
    """Fails `failures` times to connect, then answers."""

    def __init__(self, failures: int, error: type[httpx.TransportError]) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error("no")
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))


@pytest.mark.parametrize(
    ("error", "failures", "calls"),
    [
        (httpx.ConnectError, 1, 2),
        (httpx.ConnectTimeout, 1, 2),
        (httpx.ConnectError, 2, 2),
        (httpx.PoolTimeout, 1, 1),
        (httpx.ReadError, 1, 1),
        (httpx.WriteError, 1, 1),
        (httpx.RemoteProtocolError, 1, 1),
    ],
)
async def test_only_a_connection_never_made_is_tried_again_once(
    error: type[httpx.TransportError], failures: int, calls: int
) -> None:
    transport = UnreachableAtFirst(failures, error)
    up = Upstream(
        base_url="http://x/v1", credential=lambda: "", transport=transport, timeouts=PATIENT
    )
    if failures < calls:
        assert await ask(up) == b"ok"
    else:
        await failure(up)
    assert transport.calls == calls


def test_an_error_nobody_knows_counts_as_sent() -> None:
    error = translated(httpx.DecodingError("x"), read_code="y")
    assert (error.code, error.is_sent) == ("upstream_unavailable", True)


async def test_a_proxy_is_left_to_the_stock_transport() -> None:
    ours = transport_for(kind="fast", connections_max=1)
    stock = transport_for(kind="fast", connections_max=1, proxy_url="http://127.0.0.1:1")
    assert type(ours).__name__ == "FastTransport"
    assert isinstance(stock, httpx.AsyncHTTPTransport)
    await stock.aclose()
