"""Every recording observed as its index says, at any cut; bodies, encodings and what is unknown."""

import random
import zlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.observer import (
    BodyObserver,
    EncodedObserver,
    Observation,
    Observer,
    OpaqueObserver,
    StreamObserver,
    observer_for,
)
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage
from tests.recordings import Row, index_rows

USED = {"input_tokens": 3, "output_tokens": 5}
USAGE = Usage(input_tokens=3, output_tokens=5)


def watch(observer: Observer, chunks: Iterable[bytes]) -> Observation:
    for chunk in chunks:
        observer.feed(chunk)
    return observer.end(is_clean=True)


def body(data: Any, **more: Any) -> Observation:
    return watch(BodyObserver(**more), [msgspec.json.encode(data)])


def cuts_of(data: bytes, seed: int, small_bytes_max: int) -> list[list[bytes]]:
    """The bytes whole, in random pieces twice, and one by one where they are few enough."""
    cuts = [[data]]
    chance = random.Random(seed)
    for pieces_max in (7, 60):
        marks = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(pieces_max))})
        cuts.append([data[a:b] for a, b in pairwise(marks)])
    if len(data) <= small_bytes_max:
        cuts.append([data[at : at + 1] for at in range(len(data))])
    return cuts


def usage_in(row: Row) -> Usage | None:
    """The index's own usage, read the plain way."""
    if row.usage is None:
        return None
    given = row.usage.get("input_tokens_details") or {}
    made = row.usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=row.usage["input_tokens"],
        output_tokens=row.usage["output_tokens"],
        cached_tokens=given.get("cached_tokens", 0),
        cache_write_tokens=given.get("cache_write_tokens", 0),
        reasoning_tokens=made.get("reasoning_tokens", 0),
    )


def searches_in(row: Row) -> int:
    return int((row.tool_usage or {}).get("web_search", {}).get("num_requests", 0))


BYTE_BY_BYTE = pytest.mark.parametrize(
    "small_bytes_max", [3_000, pytest.param(200_000, marks=pytest.mark.long)]
)


@BYTE_BY_BYTE
@pytest.mark.needs_recordings
def test_every_recorded_stream_at_every_kind_of_cut(small_bytes_max: int) -> None:
    rows = index_rows(api="responses", stream=True)
    assert len(rows) >= 200
    for seed, row in enumerate(rows):
        for chunks in cuts_of(row.read(), seed, small_bytes_max):
            for event_bytes_max in (1 << 20, 512):
                observer = StreamObserver(event_bytes_max=event_bytes_max)
                offsets = [at for chunk in chunks if (at := observer.feed(chunk)) is not None]
                seen = observer.end(is_clean=True)
                terminal = row.terminal.rpartition("+")[2] or None
                assert seen.terminal == terminal, row.file
                assert seen.usage == usage_in(row), row.file
                assert (seen.model or "", seen.service_tier or "") == (row.model, row.service_tier)
                assert seen.event_counts == row.event_counts, row.file
                assert seen.problem is None, (row.file, seen.problem)
                assert (seen.response_id or "") == row.response_id, row.file
                assert seen.reason == (row.incomplete or {}).get("reason", seen.reason)
                assert seen.is_suspect == ("zero_usage" in row.kinds), row.file
                if row.tool_usage is not None:
                    assert seen.tools.web_searches == searches_in(row), row.file
                assert len(offsets) == (terminal is not None), row.file


@BYTE_BY_BYTE
@pytest.mark.needs_recordings
def test_every_recorded_body_at_every_kind_of_cut(small_bytes_max: int) -> None:
    terminals = {"complete", "completed", "incomplete", "cancelled", "failed"}
    rows = index_rows(api="responses", stream=False)
    assert len(rows) >= 100
    for seed, row in enumerate(rows):
        for chunks in cuts_of(row.read(), seed, small_bytes_max):
            for body_bytes_max in (1 << 20, 64):
                seen = watch(BodyObserver(body_bytes_max=body_bytes_max), chunks)
                is_ended = row.terminal in terminals
                wanted = f"response.{row.terminal.ljust(9, 'd')}" if is_ended else None
                assert seen.terminal == wanted, row.file
                assert seen.usage == usage_in(row), row.file
                assert (seen.model or "", seen.service_tier or "") == (row.model, row.service_tier)
                if row.tool_usage is not None:
                    assert seen.tools.web_searches == searches_in(row), row.file
                assert seen.problem is None, (row.file, seen.problem)
                assert seen.is_suspect == (is_ended and (row.usage or {}).get("output_tokens") == 0)


@pytest.mark.needs_recordings
def test_no_other_recording_is_taken_for_a_response() -> None:
    for row in index_rows():
        if row.api == "responses":
            continue
        observer: Observer = StreamObserver() if row.is_stream else BodyObserver()
        seen = watch(observer, [row.read()])
        assert (seen.terminal, seen.usage, seen.problem) == (None, None, None), row.file


def response(**more: Any) -> dict[str, Any]:
    return {"object": "response", "id": "r", "status": "completed", "usage": USED, **more}


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled"])
def test_a_body_ends_as_its_status_says(status: str) -> None:
    for body_bytes_max in (16, 1 << 20):
        seen = body(response(status=status, model="m"), body_bytes_max=body_bytes_max)
        assert seen.terminal == f"response.{status}"
        assert (seen.usage, seen.model, seen.problem) == (USAGE, "m", None)


def test_a_body_that_has_not_ended_is_no_problem() -> None:
    for status in ("queued", "in_progress"):
        seen = body(response(status=status, usage=None))
        assert (seen.terminal, seen.problem, seen.response_id) == (None, None, "r")


def test_a_body_without_the_usage_it_owes_is_a_problem() -> None:
    assert body(response(usage=None)).problem == "usage_missing"
    assert body(response(usage=None, status="failed")).problem is None
    output = [{"type": "message"}]
    assert body(response(usage=None, status="cancelled", output=output)).problem == "usage_missing"
    assert body(response(usage=[])).problem == "usage_invalid"


def test_a_compaction_is_billed_like_a_response() -> None:
    seen = body({"object": "response.compaction", "id": "c", "usage": USED})
    assert (seen.terminal, seen.usage) == ("response.completed", USAGE)


def test_what_is_no_response_has_neither_usage_nor_problem() -> None:
    others: list[Any] = [
        {"object": "list", "usage": {"prompt_tokens": 1}, "data": [], "status": "completed"},
        {"object": "response.deleted", "id": "r"},
        {"object": "response.input_tokens", "input_tokens": 5},
        {},
        [],
    ]
    for other in others:
        assert body(other) == Observation()
    assert body({"error": {"code": "model_not_found", "type": "t"}}).reason == "model_not_found"


def test_a_body_is_read_once_and_at_its_end() -> None:
    observer = BodyObserver()
    observer.feed(msgspec.json.encode(response(output=[{"type": "message"}])))
    assert (observer.response_id, observer.has_output) == (None, False)
    first = observer.end(is_clean=True)
    assert observer.end(is_clean=False) is first is observer.observation
    assert (observer.response_id, observer.has_output, observer.events) == ("r", True, 0)


@pytest.mark.parametrize("data", [b"", b"{", b'{"object":"response"', b"<html>", b"\xff"])
def test_a_body_that_is_cut_short_or_no_json(data: bytes) -> None:
    for body_bytes_max in (0, 1 << 20):
        observer = BodyObserver(body_bytes_max=body_bytes_max)
        assert watch(observer, [data]).problem == "body_unreadable"


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60), st.sampled_from(["", "gzip", "deflate"]))
def test_no_bytes_make_it_raise(data: bytes, cut: int, encoding: str) -> None:
    for kind in ("text/event-stream", "application/json", "text/html"):
        observer = observer_for(status=200, content_type=kind, content_encoding=encoding)
        observer.feed(data[:cut])
        observer.feed(data[cut:])
        observer.end(is_clean=True)


@pytest.mark.parametrize(
    ("content_type", "wanted"),
    [
        ("text/event-stream", StreamObserver),
        ("Text/Event-Stream ; charset=windows-1252", StreamObserver),
        ("text/event-stream;", StreamObserver),
        ("application/json; charset=utf-8", BodyObserver),
        ("text/x-bogus", OpaqueObserver),
        ("x bogus", OpaqueObserver),
        ("", OpaqueObserver),
    ],
)
def test_the_head_decides_who_observes(content_type: str, wanted: type[Observer]) -> None:
    observer = observer_for(status=200, content_type=content_type, content_encoding="identity")
    assert isinstance(observer, wanted)


def test_what_cannot_be_read_says_so() -> None:
    def problem(status: int, content_type: str, content_encoding: str) -> str | None:
        observer = observer_for(
            status=status, content_type=content_type, content_encoding=content_encoding
        )
        assert observer.feed(b"anything") is None
        assert (observer.response_id, observer.has_output, observer.events) == (None, False, 0)
        return observer.end(is_clean=True).problem

    assert problem(200, "text/html", "") == "content_type_unknown"
    assert problem(200, "application/json", "br") == "encoding_unknown"
    assert problem(200, "application/json", "gzip, gzip") == "encoding_unknown"
    assert problem(204, "", "") is None


STREAM = (
    b'data: {"type":"response.created","response":{"id":"r"}}\n\n'
    b'data: {"type":"response.output_text.delta","delta":"' + b"x" * 300_000 + b'"}\n\n'
    b'data: {"type":"response.completed","response":'
    + msgspec.json.encode(response(tools=NO_TOOLS.items))
    + b"}\n\n"
)


def encoded(data: bytes, window_bits: int) -> bytes:
    deflater = zlib.compressobj(wbits=window_bits)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("encoding", "window_bits"), [("gzip", 31), ("x-gzip", 31), ("deflate", 15), ("deflate", -15)]
)
@pytest.mark.parametrize("piece_bytes", [1, 100, 1 << 20])
def test_an_encoded_stream_is_read_on_the_side(
    encoding: str, window_bits: int, piece_bytes: int
) -> None:
    data = encoded(STREAM, window_bits)
    observer = observer_for(
        status=200, content_type="text/event-stream", content_encoding=encoding.upper()
    )
    chunks = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    assert [at for at in map(observer.feed, chunks) if at is not None] == [0]
    assert (observer.response_id, observer.has_output, observer.events) == ("r", True, 3)
    seen = observer.end(is_clean=True)
    assert (seen.terminal, seen.usage, seen.problem) == ("response.completed", USAGE, None)
    assert observer.has_output


def test_members_follow_each_other_and_padding_is_no_fault() -> None:
    middle = len(STREAM) // 2
    data = encoded(STREAM[:middle], 31) + encoded(STREAM[middle:], 31) + b"\0\0\0"
    observer = EncodedObserver(StreamObserver(), is_gzip=True)
    seen = watch(observer, [data, b"more"])
    assert (seen.usage, seen.problem) == (USAGE, None)


def test_a_broken_encoding_is_told_unless_all_was_read_before() -> None:
    data = bytearray(encoded(STREAM, 31))
    data[40] ^= 255
    for observer in (StreamObserver(), BodyObserver()):
        seen = watch(EncodedObserver(observer, is_gzip=True), [bytes(data)])
        assert (seen.usage, seen.problem) == (None, "encoding_broken")
    late = bytearray(encoded(STREAM, 31))
    late[-1] ^= 255  # the checksum comes last
    chunks = [bytes(late[:-8]), bytes(late[-8:])]
    seen = watch(EncodedObserver(StreamObserver(), is_gzip=True), chunks)
    assert (seen.usage, seen.problem) == (USAGE, None)


def test_a_small_chunk_that_grows_large_is_decoded_in_small_pieces() -> None:
    sizes: list[int] = []

    class Sized(OpaqueObserver):
        def feed(self, chunk: bytes) -> None:
            sizes.append(len(chunk))

    observer = EncodedObserver(Sized(problem=None), is_gzip=True)
    observer.feed(encoded(bytes(10_000_000), 31))
    assert sum(sizes) == 10_000_000
    assert max(sizes) <= 1 << 16
