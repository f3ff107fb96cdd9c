"""Requests that two readers could read as two: refused on raw sockets, and nothing goes upstream.

Each carries a good key, and behind it stands a request that would be served: whoever misreads the
first one serves the second.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.adapters import schema
from tests.fakes import ledgerview
from tests.fakes.rawserver import RawServer, forever, read_request, send
from tests.journeys.caller import Caller, request_head
from tests.journeys.stage import Stage, body, stage

CONTENT = json.dumps(body(stream=False)).encode()
LENGTH = b"content-length: %d\r\n" % len(CONTENT)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT)
LAST = b"0\r\n\r\n"
LINE = b"POST /v1/responses HTTP/1.1\r\n"
HOST = b"host: gateway\r\n"
KEY = b"authorization: Bearer KEY\r\n"  # the word is replaced
HEAD = LINE + HOST + KEY
SECONDS_MAX = 10
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def counted(*lines: bytes) -> bytes:
    """A request whose body has a length, with more lines in its head."""
    return HEAD + b"".join(lines) + b"\r\n" + CONTENT


def last(request: bytes) -> bytes:
    """The same, after which the connection is to end."""
    return request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)


def chunked(coded: bytes, *lines: bytes) -> bytes:
    """A request whose body comes in these chunks."""
    return HEAD + CHUNKED + b"".join(lines) + b"\r\n" + coded


def asked(target: bytes) -> bytes:
    return counted(LENGTH).replace(b"/v1/responses", target, 1)


BROKEN = {
    "CL.TE": HEAD + LENGTH + CHUNKED + b"\r\n" + LAST,
    "TE.CL": HEAD + CHUNKED + LENGTH + b"\r\n" + CHUNK + LAST,
    "TE.CL of zero": HEAD + CHUNKED + b"content-length: 0\r\n\r\n" + CHUNK + LAST,
    "TE.TE chunked twice": chunked(CHUNK + LAST, CHUNKED),
    "TE.TE with identity": chunked(CHUNK + LAST, b"transfer-encoding: identity\r\n"),
    "TE identity": counted(LENGTH, b"transfer-encoding: identity\r\n"),
    "TE identity, chunked": HEAD + b"transfer-encoding: identity, chunked\r\n\r\n" + CHUNK + LAST,
    "TE chunked, identity": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n" + CHUNK + LAST,
    "TE gzip, chunked": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNK + LAST,
    "TE xchunked": HEAD + b"transfer-encoding: xchunked\r\n\r\n" + CHUNK + LAST,
    "TE with a parameter": HEAD + b"transfer-encoding: chunked;q=1\r\n\r\n" + CHUNK + LAST,
    "TE quoted": HEAD + b'transfer-encoding: "chunked"\r\n\r\n' + CHUNK + LAST,
    "TE with VT": HEAD + b"transfer-encoding: \x0bchunked\r\n\r\n" + CHUNK + LAST,
    "TE with NUL": HEAD + b"transfer-encoding: chunked\0\r\n\r\n" + CHUNK + LAST,
    "TE empty": counted(LENGTH, b"transfer-encoding:\r\n"),
    "TE before its colon a space": HEAD + b"transfer-encoding : chunked\r\n\r\n" + CHUNK + LAST,
    "TE before its colon a tab": HEAD + b"transfer-encoding\t: chunked\r\n\r\n" + CHUNK + LAST,
    "TE in a fold": HEAD + b"x: y\r\n transfer-encoding: chunked\r\n\r\n" + CHUNK + LAST,
    "TE behind a bare LF": counted(LENGTH, b"x: y\ntransfer-encoding: chunked\r\n"),
    "TE behind a bare CR": counted(LENGTH, b"x: y\rtransfer-encoding: chunked\r\n"),
    "TE in HTTP/1.0": chunked(LAST).replace(b"HTTP/1.1", b"HTTP/1.0") + LENGTH,
    "TE with an offered upgrade": counted(
        LENGTH, CHUNKED, b"connection: upgrade\r\nupgrade: h2c\r\n"
    ),
    "CL twice, alike": counted(LENGTH, LENGTH),
    "CL twice, different": counted(LENGTH, b"content-length: 0\r\n"),
    "CL list": counted(b"content-length: %d, %d\r\n" % (len(CONTENT), len(CONTENT))),
    "CL plus": counted(b"content-length: +%d\r\n" % len(CONTENT)),
    "CL minus": counted(b"content-length: -1\r\n"),
    "CL hexadecimal": counted(b"content-length: %#x\r\n" % len(CONTENT)),
    "CL decimal": counted(b"content-length: %d.0\r\n" % len(CONTENT)),
    "CL with a space": counted(b"content-length: 4 2\r\n"),
    "CL empty": counted(b"content-length:\r\n"),
    "CL beyond 64 bits": counted(b"content-length: %d\r\n" % (2**64 + len(CONTENT))),
    "CL in other digits": counted("content-length: ٤٢\r\n".encode()),
    "CL under another name": counted(b"content_length: %d\r\n" % len(CONTENT)),
    "chunk without its end": chunked(CHUNK[:-2] + LAST),
    "chunk with another end": chunked(CHUNK[:-2] + b"xx" + LAST),
    "chunk size with a sign": chunked(b"+" + CHUNK + LAST),
    "chunk size below zero": chunked(b"-1\r\n" + CHUNK + LAST),
    "chunk size with 0x": chunked(b"0x" + CHUNK + LAST),
    "chunk size behind a space": chunked(b" " + CHUNK + LAST),
    "chunk size beyond 64 bits": chunked(b"1" + b"0" * 16 + b"\r\n" + LAST),
    "chunk size empty": chunked(b"\r\n" + CONTENT),
    "chunk size before a bare LF": chunked(CHUNK.replace(b"\r\n", b"\n", 1) + LAST),
    "chunk size before a bare CR": chunked(CHUNK.replace(b"\r\n", b"\r", 1) + LAST),
    "chunk extension with a bare LF": chunked(CHUNK.replace(b"\r\n", b";x\ny\r\n", 1) + LAST),
    "chunk extension with NUL": chunked(CHUNK.replace(b"\r\n", b";x\0\r\n", 1) + LAST),
    "trailer that is none": chunked(CHUNK + b"0\r\nx y: z\r\n\r\n"),
    "bare LF everywhere": counted(LENGTH).replace(b"\r\n", b"\n"),
    "fold": counted(LENGTH, b"x: y\r\n z\r\n"),
    "fold in the first line": LINE + b" x: y\r\n" + HOST + KEY + LENGTH + b"\r\n" + CONTENT,
    "no name": counted(LENGTH, b": y\r\n"),
    "no colon": counted(LENGTH, b"x\r\n"),
    "name with a space": counted(LENGTH, b"x y: z\r\n"),
    "name with NUL": counted(LENGTH, b"x\0: z\r\n"),
    "value with NUL": counted(LENGTH, b"x: y\0\r\n"),
    "value with a control character": counted(LENGTH, b"x: y\x01\r\n"),
    "no host": LINE + KEY + LENGTH + b"\r\n" + CONTENT,
    "two hosts": counted(LENGTH, b"host: other\r\n"),
    "absolute target": asked(b"http://gateway/v1/responses"),
    "absolute target of another": asked(b"http://other/v1/responses"),
    "absolute target without an authority": asked(b"http:///v1/responses"),
    "asterisk": asked(b"*"),
    "authority": asked(b"gateway:80"),
    "no slash": asked(b"v1/responses"),
    "backslashes": asked(rb"\v1\responses"),
    "fragment": asked(b"/v1/responses#files"),
    "target with NUL": asked(b"/v1/responses\0"),
    "target with a space": asked(b"/v1/responses x"),
    "target beyond ASCII": asked(b"/v1/responses\xff"),
    "authority behind two slashes": asked(b"//gateway/v1/responses"),
    "method in lower case": counted(LENGTH).replace(b"POST", b"post"),
    "method that is none": counted(LENGTH).replace(b"POST", b"SMUGGLE"),
    "CONNECT": counted(LENGTH).replace(b"POST", b"CONNECT"),
    "HTTP/0.9": b"POST /v1/responses\r\n",
    "HTTP/0.9, named": counted(LENGTH).replace(b"HTTP/1.1", b"HTTP/0.9"),
    "HTTP/1.2": counted(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/1.10": counted(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.10"),
    "HTTP/2.0": counted(LENGTH).replace(b"HTTP/1.1", b"HTTP/2.0"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32) + b"\r\n\r\n",
    "PROXY line": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
}
ELSEWHERE = {
    "encoded slashes": b"/v1/responses/..%2f..%2ffiles",
    "dots": b"/v1/x/../responses",
    "encoded dots": b"/v1/%2e%2e/v1/responses",
    "encoded letter": b"/v1/%72esponses",
    "encoded NUL": b"/v1/responses%00",
    "encoded line end": b"/v1/responses%0d%0a",
    "two slashes": b"/v1//responses",
    "parameter": b"/v1/responses;a=b",
    "trailing slash": b"/v1/responses/",
    "an id with NUL": b"/v1/responses/resp_1%00",
    "capitals": b"/v1/Responses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway, and an upstream that would answer whatever reached it."""

    on: Stage
    upstream: RawServer

    @property
    def seen(self) -> tuple[int, int, int, int]:
        """All that a served request would leave behind."""
        engine = self.on.engine
        rows = len(ledgerview.rows(engine, schema.hold)), len(ledgerview.rows(engine, schema.entry))
        return self.upstream.connections, len(self.upstream.requests), *rows

    async def spoken(self, request: bytes) -> tuple[Caller, bytes]:
        """The answer to a request, and what follows it until the gateway closes."""
        caller = await Caller.connect(self.on.port)
        caller.writer.write(request.replace(b"KEY", self.on.key.encode()))
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await caller.read()
                rest = await caller.reader.read()
        finally:
            caller.writer.transport.abort()
        return caller, rest


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with RawServer([forever(read_request, send(ANSWER))]) as upstream:
        folder = tmp_path_factory.mktemp("gateway")
        async with stage(folder, upstream={"base_url": upstream.url}) as on:
            yield Scene(on=on, upstream=upstream)


def test_the_table_is_as_long_as_was_promised() -> None:
    assert len(BROKEN) + len(ELSEWHERE) >= 40


@pytest.mark.parametrize("request_bytes", BROKEN.values(), ids=BROKEN)
async def test_what_could_be_two_is_refused_and_the_connection_closed(
    scene: Scene, request_bytes: bytes
) -> None:
    before = scene.seen
    behind = request_head("KEY", len(CONTENT)) + CONTENT
    told, rest = await scene.spoken(request_bytes + behind)
    assert (told.status, told.ending) == (400, "whole"), told.head
    assert rest.count(b"HTTP/1.1 ") == rest.count(b"HTTP/1.1 400 ") <= 1, rest
    assert scene.seen == before


@pytest.mark.parametrize("target", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_path_that_could_be_another_is_not_found(scene: Scene, target: bytes) -> None:
    before = scene.seen
    told, _ = await scene.spoken(last(asked(target)))
    assert (told.status, told.json["error"]["code"]) == (404, "not_found")
    assert scene.seen == before


@pytest.mark.parametrize(
    "request_bytes",
    [
        counted(LENGTH),
        chunked(CHUNK + LAST),
        chunked(CHUNK.replace(b"\r\n", b";x=y\r\n", 1) + LAST),
    ],
    ids=["counted", "chunked", "chunk extension"],
)
async def test_the_same_request_without_a_trick_is_served(
    scene: Scene, request_bytes: bytes
) -> None:
    """Or all of the above could be refused for another reason."""
    before = len(scene.upstream.requests)
    told, _ = await scene.spoken(last(request_bytes))
    assert (told.status, told.ending) == (200, "whole")
    (sent,) = scene.upstream.requests[before:]
    assert sent.endswith(b"\r\n\r\n" + CONTENT), "in the gateway's own framing"
    assert b"transfer-encoding" not in sent.lower()
