"""The contract of the door to the upstream, kept by both transports, over real sockets."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest

from gateway.adapters.upstream import (
    Timeouts,
    Upstream,
    UpstreamReply,
    translated,
    transport_for,
)
from gateway.core.errors import UpstreamTimeout, UpstreamUnavailable
from tests.fakes.rawserver import (
    RawServer,
    Step,
    close,
    flood,
    forever,
    half_close,
    hang,
    ignore,
    read_bytes,
    read_request,
    reset,
    send,
    send_apart,
    wait_for,
)

Kind = Literal["fast", "stock"]
CERTS = Path(__file__).parents[1] / "fakes" / "certs"
CA = str(CERTS / "ca.pem")  # one authority loads 50 times faster than the system's
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PATIENT = Timeouts(
    connect_seconds=5, write_seconds=5, pool_seconds=5, first_byte_seconds=5, idle_seconds=5
)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Served on uvloop, developed on either: both must keep the contract."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=["fast", "stock"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@asynccontextmanager
async def upstream_at(
    base_url: str,
    kind: Kind,
    *,
    timeouts: Timeouts = PATIENT,
    connections_max: int = 100,
    idle_seconds_max: float = 15,
    ca_file: str | None = CA,
) -> AsyncIterator[Upstream]:
    transport = transport_for(
        kind=kind,
        connections_max=connections_max,
        idle_seconds_max=idle_seconds_max,
        ca_file=ca_file,
    )
    upstream = Upstream(
        base_url=base_url, credential=lambda: "sk-1", transport=transport, timeouts=timeouts
    )
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def post(upstream: Upstream, body: bytes = b"{}") -> UpstreamReply:
    headers = [(b"content-type", b"application/json")]
    return await upstream.send(method="POST", path="/responses", headers=headers, body=body)


async def read(reply: UpstreamReply) -> list[bytes]:
    try:
        return [chunk async for chunk in reply.chunks()]
    finally:
        await reply.aclose()


async def ask(upstream: Upstream, body: bytes = b"{}") -> bytes:
    return b"".join(await read(await post(upstream, body)))


async def failure(upstream: Upstream, body: bytes = b"{}") -> UpstreamUnavailable:
    with pytest.raises(UpstreamUnavailable) as caught:
        await ask(upstream, body)
    return caught.value


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
            assert (await read(reply), reply.is_close_delimited) == ([], False)


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
        assert reply.is_close_delimited
        assert b"".join(await read(reply)) == b"ab"
        assert await ask(up) == b"ab"
        assert server.connections == 2


# Broken in every way.

TRUNCATED = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
    CHUNKED + b"2\r\nab\r\n",
    CHUNKED + b"9\r\nab",
    CHUNKED + b"2\r\nab\r\n0\r\n",
]


@pytest.mark.parametrize("answer", TRUNCATED)
async def test_a_truncated_body_never_ends_cleanly(kind: Kind, answer: bytes) -> None:
    script = [read_request, send(answer), close]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        error = await failure(up)
        assert (error.code, error.is_sent) == ("upstream_incomplete", True)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent"])
@pytest.mark.parametrize("end", [close, reset])
async def test_an_end_before_the_head_is_a_reset(kind: Kind, answer: bytes, end: Step) -> None:
    script = [read_request, send(answer), end]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        error = await failure(up)
        assert (error.status, error.code, error.is_sent) == (502, "upstream_reset", True)
        assert len(server.requests) == 1, "a request was sent twice"


@pytest.mark.parametrize("head", [CHUNKED + b"2\r\nab\r\n", b"HTTP/1.1 200 OK\r\n\r\nab"])
async def test_a_reset_in_the_body_is_a_reset_after_what_arrived(kind: Kind, head: bytes) -> None:
    is_read = asyncio.Event()
    script = [read_request, send(head), wait_for(is_read), reset]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        reply = await post(up)
        pieces = reply.chunks()
        assert await anext(pieces) == b"ab"
        is_read.set()
        with pytest.raises(UpstreamUnavailable, match="upstream") as caught:
            await anext(pieces)
        await reply.aclose()
        assert caught.value.code == "upstream_reset"


MALFORMED = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "wrong version": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "both framings": CHUNKED[:-2] + b"content-length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "bad length": b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
    "unknown encoding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
    "bad chunk size": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "unasked upgrade": b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "status 999": b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n",
    "control character": b"HTTP/1.1 200 OK\r\nx: a\x01b\r\ncontent-length: 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"x: abcdefg\r\n" * 30_000 + b"\r\n",
}
STOCK_ACCEPTS = {
    "both framings": "h11 lets chunked win, as RFC 9112 section 6.3 allows a recipient",
    "wrong version": "h11 looks at the shape of the version only",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_not_a_response_is_malformed(kind: Kind, case: str) -> None:
    if kind == "stock" and case in STOCK_ACCEPTS:
        pytest.skip(STOCK_ACCEPTS[case])
    script = [read_request, send(MALFORMED[case]), hang]
    async with RawServer(script) as server, upstream_at(server.url, kind) as up:
        error = await failure(up)
        assert (error.status, error.code, error.is_sent) == (502, "upstream_malformed", True)


async def test_a_refused_connection_was_not_sent(kind: Kind) -> None:
    async with RawServer([]) as server:
        url = server.url
    async with upstream_at(url, kind) as up:
        error = await failure(up)
        assert (error.status, error.code, error.is_sent) == (502, "upstream_connect_failed", False)


# The time.


async def test_a_silent_handshake_is_a_connect_timeout(kind: Kind) -> None:
    limits = Timeouts(connect_seconds=0.05)
    async with RawServer([hang]) as server:
        url = server.url.replace("http:", "https:")
        async with upstream_at(url, kind, timeouts=limits) as up:
            error = await failure(up)
            assert isinstance(error, UpstreamTimeout)
            assert (error.code, error.is_sent) == ("upstream_connect_timeout", False)
            assert server.connections == 2, "tried once more, since nothing had been sent"


async def test_an_upstream_that_does_not_read_is_a_write_timeout(kind: Kind) -> None:
    limits = Timeouts(write_seconds=0.1)
    async with (
        RawServer([ignore]) as server,
        upstream_at(server.url, kind, timeouts=limits) as up,
    ):
        error = await failure(up, b"x" * 2**24)
        assert isinstance(error, UpstreamTimeout)
        assert (error.code, error.is_sent) == ("upstream_write_timeout", True)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\ncont", b"HTTP/1.1 103 E\r\n\r\n"])
async def test_no_head_is_a_first_byte_timeout(kind: Kind, start: bytes) -> None:
    limits = Timeouts(first_byte_seconds=0.1, idle_seconds=60)
    async with (
        RawServer([read_request, send(start), hang]) as server,
        upstream_at(server.url, kind, timeouts=limits) as up,
    ):
        error = await failure(up)
        assert isinstance(error, UpstreamTimeout)
        assert (error.code, error.is_sent) == ("upstream_first_byte_timeout", True)


async def test_a_silent_body_is_an_idle_timeout_after_what_arrived(kind: Kind) -> None:
    limits = Timeouts(first_byte_seconds=60, idle_seconds=0.1)
    async with (
        RawServer([read_request, send(CHUNKED + b"1\r\na\r\n"), hang]) as server,
        upstream_at(server.url, kind, timeouts=limits) as up,
    ):
        reply = await post(up)
        pieces = reply.chunks()
        assert await anext(pieces) == b"a"
        with pytest.raises(UpstreamTimeout) as caught:
            await anext(pieces)
        await reply.aclose()
        assert caught.value.code == "upstream_idle_timeout"


async def test_a_reader_that_is_slow_itself_is_no_idle_upstream(kind: Kind) -> None:
    limits = Timeouts(idle_seconds=0.2)
    start, go_on = asyncio.Event(), asyncio.Event()
    first = [read_request, send(CHUNKED), wait_for(start), send(b"1\r\na\r\n")]
    async with (
        RawServer([*first, wait_for(go_on), send(b"1\r\nb\r\n0\r\n\r\n")]) as server,
        upstream_at(server.url, kind, timeouts=limits) as up,
    ):
        reply = await post(up)
        pieces = reply.chunks()
        start.set()
        assert await anext(pieces) == b"a"
        await asyncio.sleep(0.3)  # longer than the limit: this is the case itself
        go_on.set()
        assert [piece async for piece in pieces] == [b"b"]
        await reply.aclose()


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


# TLS.


def tls_server(*script: Step) -> RawServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "server.pem")
    return RawServer(list(script), ssl_context=context)


async def test_tls_with_an_authority_of_our_own(kind: Kind) -> None:
    async with (
        tls_server(forever(read_request, send(OK))) as server,
        upstream_at(server.url, kind) as up,
    ):
        assert [await ask(up) for _ in range(20)] == [b"ok"] * 20
        assert server.connections == 1


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_tls_with_someone_else_is_no_connection(kind: Kind, wrong: str) -> None:
    async with tls_server(read_request, send(OK)) as server:
        url = server.url.replace("127.0.0.1", "localhost") if wrong == "name" else server.url
        ca_file = CA if wrong == "name" else None
        async with upstream_at(url, kind, ca_file=ca_file) as up:
            error = await failure(up)
            assert (error.code, error.is_sent) == ("upstream_connect_failed", False)
            assert server.requests == []


async def test_tls_cut_without_goodbye_is_no_clean_end_of_an_unframed_body() -> None:
    """Ours only: the stock transport does not ask TLS whether the end was the peer's wish."""
    is_read = asyncio.Event()

    async def cut(peer: object) -> None:
        await is_read.wait()  # the script's end aborts the connection: a FIN, no close_notify

    head = b"HTTP/1.1 200 OK\r\n\r\nab"
    async with (
        tls_server(read_request, send(head), close) as server,
        upstream_at(server.url, "fast") as up,
    ):
        assert await ask(up) == b"ab"
    async with (
        tls_server(read_request, send(head), cut) as server,
        upstream_at(server.url, "fast") as up,
    ):
        reply = await post(up)
        pieces = reply.chunks()
        assert await anext(pieces) == b"ab"
        is_read.set()
        with pytest.raises(UpstreamUnavailable):
            await anext(pieces)
        await reply.aclose()


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
