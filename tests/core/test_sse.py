"""The decoder against WHATWG: ported conformance cases, any cut, any line end, bounded memory."""

import base64
import itertools
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.sse import PIECE_BYTES_MAX, ServerSentEvent, SSEDecoder
from tests.recordings import shared_json

Seen = tuple[str, str, str]

LINES = st.sampled_from(
    [
        b"data: x", b"data:y", b"data", b"data:  two", b"data: " + b"z" * 30, b"dat", b"data",
        b"event: a", b"event:", b"event", b"event: \xff", b"event: " + b"e" * 30,
        b"id: 1", b"id", b"id: a\0b", b"id: " + b"i" * 30, b"retry: 12", b"retry: +1", b"retry",
        b": hi", b":", b":" + b"c" * 40, b" data: no", b"foo: bar", b"foo" * 20, b"\xef\xbb\xbf",
        b"\xef\xbb", b"data: \x0b\x0c\x1c\x85", b"data: \xe2\x80\xa8", b"", b"", b"", b"",
    ]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAMS = st.one_of(
    st.lists(st.tuples(LINES, ENDS)).map(lambda lines: b"".join(a + b for a, b in lines)),
    st.lists(LINES).map(b"\n".join),
    st.binary(max_size=60),
    st.text("d:ae t\r\nv\ufeff", max_size=60).map(str.encode),
)
CUTS = st.lists(st.integers(0, 300), max_size=12)


class Kept:
    """An overflow that keeps what it is fed."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, piece: bytes, /) -> None:
        self.data += piece


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    marks = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(marks):
        yield data[start:end]


def decode(chunks: Iterable[bytes], decoder: SSEDecoder) -> list[Seen]:
    return [
        (event.type, event.text, event.last_event_id)
        for chunk in chunks
        for event in decoder.feed(chunk)
    ]


def by_the_standard(data: bytes, limit: int) -> tuple[list[Seen], int | None]:
    """The standard's algorithm, written plainly: what the decoder must be equal to.

    The one addition is ours: a line of another field than data, longer than the limit, is ignored.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    seen: list[Seen] = []
    retry = None
    kind, parts, event_id = "", list[bytes](), ""
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        is_kept = len(line) <= limit
        if not line:
            if parts:
                text = b"\n".join(parts).decode("utf-8", "replace")
                seen.append((kind or "message", text, event_id))
            kind, parts = "", []
        elif name == b"data":
            parts.append(value)
        elif name == b"event" and is_kept:
            kind = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value and is_kept:
            event_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and is_kept:
            retry = int(value)
    return seen, retry


@pytest.mark.needs_recordings
def test_every_conformance_case_at_every_split() -> None:
    cases = shared_json("sse_conformance.json")["cases"]
    assert len(cases) >= 66
    for case in cases:
        data = base64.b64decode(case["input_b64"])
        wanted = [(e["type"], e["data"], e["last_event_id"]) for e in case["expected_events"]]
        for split in [*case["chunk_splits"], [1] * len(data)]:
            decoder = SSEDecoder()
            ends = [sum(split[: n + 1]) for n in range(len(split))]
            assert decode(pieces(data, ends), decoder) == wanted, case["name"]
            assert decoder.retry_ms == case["expected_retry_ms"], case["name"]


@settings(deadline=None)
@given(STREAMS, CUTS)
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
@example(b"\xef\xbbdata: a\n\ndata: b\n\n", [1])
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 10])
@example(b"event: \ndata: a\n\n", [])
@example(b"data: " + b"x" * 17 + b"\n\n", [])
def test_any_cut_gives_the_events_of_the_standard(data: bytes, cuts: list[int]) -> None:
    large = SSEDecoder()
    assert (decode(pieces(data, cuts), large), large.retry_ms) == by_the_standard(data, 1 << 20)


@settings(deadline=None)
@given(STREAMS, CUTS)
@example(b"data: 0123456789012345\ndata: x\ndata\n\n", [10])
@example(b"data: 012345678901234\ndata: x\n\n", [])
@example(b"event: 01234567890123456789\ndata: x\n\n", [])
def test_what_is_too_large_overflows_and_nothing_is_lost(data: bytes, cuts: list[int]) -> None:
    spilled: list[Kept] = []

    def overflow() -> Kept:
        spilled.append(Kept())
        return spilled[-1]

    decoder = SSEDecoder(event_bytes_max=16, overflow=overflow)
    events = [event for chunk in pieces(data, cuts) for event in decoder.feed(chunk)]
    kept = iter(spilled)
    seen = []
    for event in events:
        whole = event.data if event.data is not None else next(kept).data
        assert (event.data is None) == (len(whole) > 16)
        seen.append((event.type, whole.decode("utf-8", "replace"), event.last_event_id))
    assert seen == by_the_standard(data, 16)[0]


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_offsets_say_where_an_event_begins_and_ends(data: bytes, cuts: list[int]) -> None:
    decoder = SSEDecoder()
    done = 0
    for chunk in pieces(data, cuts):
        last_end = 0
        for event in decoder.feed(chunk):
            assert last_end <= event.start < event.end <= len(chunk)
            assert event.start == 0 or data[done + event.start - 1] in b"\r\n\xbf"
            assert data[done + event.end - 1] in b"\r\n"
            alone = SSEDecoder()
            alone.feed(b"x\n\n")  # past the place for a BOM
            if event.start > 0:
                (again,) = alone.feed(chunk[event.start : event.end])
                assert (again.type, again.data) == (event.type, event.data)
            last_end = event.end
        done += len(chunk)


def test_bytes_before_an_event_are_not_part_of_it() -> None:
    (event,) = SSEDecoder().feed(b": beat\n\n\r\n: beat\nevent: a\r\ndata: b\r\n\r\nrest")
    assert (event.start, event.end) == (17, 38)
    decoder = SSEDecoder()
    assert decoder.feed(b"data: ") == []
    assert [(e.start, e.end) for e in decoder.feed(b"a\n\ndata: b\n\n")] == [(0, 3), (3, 12)]


def test_the_unfinished_last_event_is_handed_out_at_the_end() -> None:
    def last(data: bytes) -> ServerSentEvent | None:
        decoder = SSEDecoder(event_bytes_max=16)
        assert decoder.feed(data) == []
        return decoder.end()

    for data in (b"event: a\ndata: b", b"event: a\ndata: b\n", b"event: a\rdata: b\r"):
        event = last(data)
        assert event is not None
        assert (event.type, event.data, event.start, event.end) == ("a", b"b", 0, 0)
    spilled = last(b"data: 01234567890123456789")
    assert spilled is not None
    assert (spilled.data, spilled.text) == (None, "")
    for data in (b"", b"\xef\xbb", b": beat", b"event: a\n", b":" + b"x" * 20):
        assert last(data) is None


def test_a_line_without_end_costs_no_memory() -> None:
    chunk = b"x" * 65536
    for head in (b"data: ", b": ", b"event: ", b"unknown"):
        decoder = SSEDecoder(event_bytes_max=65536)
        decoder.feed(head)
        tracemalloc.start()
        for _ in range(100):
            decoder.feed(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 65536


def test_a_huge_line_in_one_chunk_is_not_copied_whole() -> None:
    data = b"data: " + b"x" * (16 * PIECE_BYTES_MAX) + b"\n\ndata: y\n\n"
    decoder = SSEDecoder(event_bytes_max=PIECE_BYTES_MAX)
    tracemalloc.start()
    events = decoder.feed(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [event.data for event in events] == [None, b"y"]
    assert (events[0].start, events[1].end) == (0, len(data))
    assert peak < 8 * PIECE_BYTES_MAX


def test_a_retry_of_absurd_length_is_ignored() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"retry: 250\n\nretry: " + b"9" * 5000 + b"\n\n")
    assert decoder.retry_ms == 250
