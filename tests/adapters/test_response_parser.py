"""Responses to facts, whatever the cuts."""

from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.response_parser import HEAD_BYTES_MAX, ResponseParser

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def parsed(*pieces: bytes, is_head: bool = False) -> ResponseParser:
    parser = ResponseParser()
    parser.begin(is_head=is_head)
    for piece in pieces:
        parser.feed(memoryview(piece))
    return parser


def body_of(parser: ResponseParser) -> bytes:
    return b"".join(parser.take() for _ in range(len(parser.chunks)))


def framed(body: list[bytes], *, is_chunked: bool) -> bytes:
    if is_chunked:
        pieces = [b"%x;e=1\r\n%b\r\n" % (len(piece), piece) for piece in body if piece]
        return CHUNKED + b"".join(pieces) + b"0\r\nx-t: 1\r\nx-u: 2\r\n\r\n"
    whole = b"".join(body)
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(whole), whole)


@given(
    body=st.lists(st.binary(max_size=40), max_size=6),
    is_chunked=st.booleans(),
    interim=st.sampled_from([b"", b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 103 E\r\nlink: x\r\n\r\n"]),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_any_cut_gives_the_same_response(
    body: list[bytes], is_chunked: bool, interim: bytes, cuts: list[int]
) -> None:
    data = interim + framed(body, is_chunked=is_chunked)
    edges = sorted({0, len(data), *[cut for cut in cuts if cut < len(data)]})
    parser = parsed(*[data[a:b] for a, b in pairwise(edges)])
    assert (parser.status, len(parser.headers)) == (200, 1)
    assert parser.is_complete
    assert parser.is_reusable
    assert not parser.is_close_delimited
    assert body_of(parser) == b"".join(body)
    assert parser.chunk_bytes == 0


@given(data=st.binary(max_size=300), is_head=st.booleans())
def test_any_bytes_are_a_response_or_malformed(data: bytes, is_head: bool) -> None:
    parser = ResponseParser()
    parser.begin(is_head=is_head)
    try:
        parser.feed(memoryview(b"HTTP/1.1 200 OK\r\n" + data))
        parser.finish(is_authentic=True)
    except httpx.RemoteProtocolError:
        return
    assert parser.is_complete


def test_one_parser_reads_one_response_after_another() -> None:
    parser = ResponseParser()
    for _ in range(3):
        parser.begin(is_head=False)
        parser.feed(memoryview(OK))
        assert (parser.is_reusable, body_of(parser)) == (True, b"ok")


@pytest.mark.parametrize("pieces", [(OK, b"x"), (OK + b"HTTP",), (OK + b"x",)])
def test_what_follows_spoils_the_connection_and_not_the_response(pieces: tuple[bytes, ...]) -> None:
    parser = parsed(*pieces)
    assert (parser.is_complete, parser.is_reusable, body_of(parser)) == (True, False, b"ok")
    assert parser.headers == [(b"content-length", b"2")]


def test_a_response_to_head_ends_with_its_head_and_its_connection() -> None:
    parser = parsed(OK, is_head=True)
    assert (parser.is_complete, parser.is_reusable, body_of(parser)) == (True, False, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * (HEAD_BYTES_MAX + 1),
        b"HTTP/1.1 200 OK\r\n" + b"x: abc\r\n" * HEAD_BYTES_MAX,
        b"HTTP/1.1 103 E\r\nx: abc\r\n\r\n" * HEAD_BYTES_MAX,
        CHUNKED + b"1\r\na\r\n1;" + b"e" * (2 * HEAD_BYTES_MAX),
        CHUNKED + b"1\r\na\r\n0\r\n" + b"x: abc\r\n" * HEAD_BYTES_MAX,
    ],
    ids=["header", "headers", "interims", "extension", "trailers"],
)
@pytest.mark.parametrize("size", [1000, HEAD_BYTES_MAX])
def test_no_section_is_endless(data: bytes, size: int) -> None:
    enough = data[: 3 * HEAD_BYTES_MAX]
    pieces = [enough[start : start + size] for start in range(0, len(enough), size)]
    with pytest.raises(httpx.RemoteProtocolError, match="too large"):
        parsed(*pieces)


def test_a_large_head_within_the_bound_is_read() -> None:
    value = b"a" * (HEAD_BYTES_MAX - 100)
    assert parsed(b"HTTP/1.1 200 OK\r\nx: %b\r\ncontent-length: 0\r\n\r\n" % value).is_complete


@pytest.mark.parametrize("is_authentic", [True, False])
def test_a_close_ends_only_what_nothing_else_ends(is_authentic: bool) -> None:
    parser = parsed(b"HTTP/1.1 200 OK\r\n\r\nab")
    assert parser.is_close_delimited
    if is_authentic:
        parser.finish(is_authentic=True)
    else:
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed"):
            parser.finish(is_authentic=False)
    assert (parser.is_complete, parser.is_reusable) == (is_authentic, False)


def test_a_close_after_the_end_is_no_error() -> None:
    parser = parsed(OK)
    parser.finish(is_authentic=True)
    assert not parser.is_reusable


@pytest.mark.parametrize(
    ("pieces", "taken"),
    [
        ([b"a"], [b"a"]),
        ([b"a", b"b"], [b"a", b"b"]),
        ([b"a", b"b", b"c", b"d"], [b"abc", b"d"]),
    ],
)
def test_what_is_taken_together_leaves_the_last_piece_by_itself(
    pieces: list[bytes], taken: list[bytes]
) -> None:
    parser = parsed(framed(pieces, is_chunked=True))
    found = []
    while parser.chunks:
        found.append(parser.take_some())
        assert parser.chunk_bytes == sum(map(len, parser.chunks))
    assert found == taken
