"""Events as bytes, with every flaw."""

import json
import tracemalloc
import zlib

import pytest

from gateway.simulator.directive import read_words
from gateway.simulator.faults import NO_FAULTS, make_faults
from gateway.simulator.framing import (
    FILLER_BLOCK,
    MIB,
    body_length,
    body_segments,
    gzipped,
    json_bytes,
    stream_segments,
)
from gateway.simulator.tool_narration import FILLER
from tests.simulator.scenes import events, scene


def framed(directive: str) -> bytes:
    segments = stream_segments(events(directive), make_faults(read_words(directive)))
    return b"".join(segment.data for segment in segments)


def test_the_api_s_framing() -> None:
    stream = framed("output=2")
    assert stream.endswith(b"}\n\n")
    for frame in stream.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = frame.split(b"\n")
        assert name.removeprefix(b"event: ").decode() == json.loads(data[6:])["type"]


@pytest.mark.parametrize(
    ("directive", "shows"),
    [
        ("crlf", b"}\r\n\r\n"),
        ("cr", b"}\r\r"),
        ("bom", b"\xef\xbb\xbfevent: response.created\n"),
        ("comment", b": still working\n\nevent: "),
        ("done", b"}\n\ndata: [DONE]\n\n"),
        ("garbage", b"\n\ndata: {not json\n\n\xff\xfe"),
    ],
)
def test_flaws_show(directive: str, shows: bytes) -> None:
    assert shows in framed(directive)
    assert shows not in framed("")


def test_line_ends_are_of_one_kind() -> None:
    assert b"\n" not in framed("cr")
    assert framed("crlf").count(b"\n") == framed("crlf").count(b"\r\n")


def test_what_can_be_missing() -> None:
    assert b"event:" not in framed("no_event_lines")
    assert b"response.completed" not in framed("no_terminal")
    assert framed("no_blank_line").endswith(b"}\n")
    assert framed("").endswith(b"}\n\n")


def test_the_terminal_event_is_marked() -> None:
    segments = list(stream_segments(events(""), NO_FAULTS))
    assert [segment.is_terminal for segment in segments[-2:]] == [False, True]


@pytest.mark.parametrize("where", ["delta", "terminal"])
def test_a_huge_event_is_never_whole(where: str) -> None:
    told = events(f"huge=64; huge_where={where}")
    tracemalloc.start()
    size = sum(len(segment.data) for segment in stream_segments(told, NO_FAULTS, 64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 64 * MIB
    assert peak < MIB


def test_a_huge_event_is_json() -> None:
    segments = stream_segments(events("huge=1; huge_where=terminal"), NO_FAULTS, 1)
    terminal = b"".join(segment.data for segment in segments if segment.is_terminal)
    last = json.loads(terminal.partition(b"data: ")[2])
    assert last["response"]["output"][0]["result"] == "A" * MIB


def test_a_body_s_length_is_known_without_the_bulk() -> None:
    body = json_bytes({"a": FILLER})
    assert body_length(body, 1) == sum(len(segment.data) for segment in body_segments(body, 1))
    assert body_length(b"{}", 1) == 2
    assert body_length(body, 0) == len(body)
    assert len(FILLER_BLOCK) < MIB


def test_gzip_is_flushed_with_every_event() -> None:
    plain = list(stream_segments(events(""), NO_FAULTS))
    unpacker = zlib.decompressobj(wbits=31)
    *packed, tail = gzipped(plain)
    for before, after in zip(plain, packed, strict=True):
        assert unpacker.decompress(after.data) == before.data
        assert after.is_terminal == before.is_terminal
    assert unpacker.decompress(tail.data) == b""
    assert unpacker.eof


def test_a_scene_can_be_framed_twice() -> None:
    assert scene("").ids == scene("").ids
    assert framed("") == framed("")
