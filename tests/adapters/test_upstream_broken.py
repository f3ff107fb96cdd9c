"""Upstreams that break, stall or are someone else: by both transports, over real sockets."""

import asyncio
import ssl
from collections.abc import Sequence

import pytest

from gateway.adapters.upstream import Timeouts
from gateway.core.errors import UpstreamTimeout, UpstreamUnavailable
from tests.fakes.door import (
    CA,
    CERTS,
    CHUNKED,
    KINDS,
    LOOPS,
    OK,
    Kind,
    ask,
    failure,
    post,
    upstream_at,
)
from tests.fakes.rawserver import (
    Peer,
    RawServer,
    Step,
    close,
    forever,
    hang,
    ignore,
    read_request,
    reset,
    send,
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


# TLS.


def tls_server(*script: Step, protocols: Sequence[str] = ()) -> RawServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "server.pem")
    if protocols:
        context.set_alpn_protocols(protocols)
    return RawServer(list(script), ssl_context=context)


async def test_tls_with_an_authority_of_our_own(kind: Kind) -> None:
    async with (
        tls_server(forever(read_request, send(OK))) as server,
        upstream_at(server.url, kind) as up,
    ):
        assert [await ask(up) for _ in range(20)] == [b"ok"] * 20
        assert server.connections == 1


async def test_p39_an_upstream_that_offers_http_2_is_spoken_to_in_http_1(kind: Kind) -> None:
    """One connection for all tenants' streams would end with any of them."""
    chosen: list[object] = []

    async def choose(peer: Peer) -> None:
        chosen.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())

    script = (choose, read_request, send(OK))
    async with (
        tls_server(*script, protocols=["h2", "http/1.1"]) as server,
        upstream_at(server.url, kind) as up,
    ):
        assert await ask(up) == b"ok"
        assert chosen == ["http/1.1"]
        assert b" HTTP/1.1\r\n" in server.requests[0]


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
