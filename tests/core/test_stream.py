"""What a stream's events say, wherever they are cut, however large or strange they are."""

import base64
import json
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.observation import TERMINAL_EVENTS, Observation
from gateway.core.stream import EVENT_TYPES_MAX, StreamObserver
from gateway.core.usage import Usage
from tests.recordings import shared_json

USED = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
USAGE = Usage(input_tokens=3, output_tokens=5)
TIGHT = 28  # the longest event line that matters fits, no data does
TYPES = st.sampled_from(
    [*TERMINAL_EVENTS, "response.created", "error", "response.output_text.delta", "keepalive"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "usage", "output", "type", "error", "model", "input_tokens", "x"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)
EVENTS = st.builds(
    lambda kind, data: f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode(),
    TYPES,
    JSON
    | st.fixed_dictionaries({"type": TYPES | JSON, "response": JSON}, optional={"error": JSON}),
)


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def ended(kind: str = "completed", **response: Any) -> bytes:
    return event(f"response.{kind}", response={"id": "r", "usage": USED, **response})


def watch(*chunks: bytes, is_clean: bool = True, **more: Any) -> Observation:
    observer = StreamObserver(**more)
    for chunk in chunks:
        observer.feed(chunk)
    return observer.end(is_clean=is_clean)


def cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    marks = [0, *sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@settings(deadline=None)
@given(st.lists(EVENTS | st.binary(max_size=30), max_size=6), st.lists(st.integers(0, 400)))
def test_it_never_raises_and_sees_the_same_at_any_cut(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole = watch(data)
    assert watch(*cut(data, cuts)) == whole
    assert watch(data, event_bytes_max=TIGHT) == watch(*cut(data, cuts), event_bytes_max=TIGHT)
    assert watch(*cut(data, cuts), is_clean=False).event_counts.keys() <= {*whole.event_counts}


@settings(deadline=None)
@given(st.lists(st.integers(0, 1200), max_size=10), st.sampled_from([TIGHT, 1 << 20]))
def test_a_terminal_event_is_reported_where_it_begins(cuts: list[int], limit: int) -> None:
    before = event("response.created", response={"id": "r"}) + b": beat\n\n"
    data = before + ended() + ended("failed") + b"data: [DONE]\n\n"
    observer = StreamObserver(event_bytes_max=limit)
    done, reported = 0, []
    for chunk in cut(data, cuts):
        offset = observer.feed(chunk)
        if offset is not None:
            reported.append((done, offset, done + len(chunk)))
        done += len(chunk)
    ((chunk_start, offset, chunk_end),) = reported
    assert chunk_start + offset == max(len(before), chunk_start)
    assert chunk_end >= len(before) + len(ended())


@pytest.mark.parametrize(
    "before", [b"", b"data: ", b": note\r", b"event: x", b"\xef\xbb", b"id: 1\n"]
)
def test_a_chunk_that_is_one_event_counts_as_in_any_other_cut(before: bytes) -> None:
    lone = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta"}\n\n'
    observed = []
    for pieces in ([lone, before, lone, lone], [lone + before + lone + lone]):
        observer = StreamObserver()
        for piece in pieces:
            observer.feed(piece)
        observed.append((observer.events, observer.end(is_clean=True)))
    assert observed[0] == observed[1]


@pytest.mark.needs_recordings
def test_the_reference_cases_of_the_api() -> None:
    usage = Usage(input_tokens=12, output_tokens=7, cached_tokens=4, reasoning_tokens=3)
    for case in shared_json("sse_conformance.json")["cases"]:
        data = base64.b64decode(case["input_b64"])
        seen = watch(data)
        name = case["name"].removeprefix("responses/")
        if name in {"normal-lf", "normal-crlf", "no-event-lines", "missing-final-blank-line"}:
            assert (seen.terminal, seen.usage) == ("response.completed", usage), name
        elif name == "usage-spoof-in-tools-metadata-text":
            assert seen.terminal == "response.completed"
            assert seen.usage is not None
        elif name in {"cut-inside-completed", "error-event"}:
            assert (seen.terminal, seen.usage) == (None, None), name


def test_an_unfinished_last_event_counts_only_at_a_clean_end_and_when_it_is_whole() -> None:
    data = ended().rstrip(b"\n")
    for limit in (TIGHT, 1 << 20):
        assert watch(data, event_bytes_max=limit).usage == USAGE
        assert watch(data, is_clean=False, event_bytes_max=limit).terminal is None
        short = watch(data[:-5], event_bytes_max=limit)
        assert (short.terminal, short.problem) == (None, "event_unreadable")
    assert watch(b"data: [DONE]").problem is None
    observer = StreamObserver()
    observer.feed(data)
    first = observer.end(is_clean=True)
    assert observer.end(is_clean=True) == first == observer.observation
    assert observer.events == 1


def test_the_type_in_the_data_decides_and_the_event_line_is_a_hint() -> None:
    lie = ended().replace(b"event: response.completed", b"event: response.failed")
    assert watch(lie).terminal == "response.completed"
    assert watch(event("x").replace(b"event: x", b"event: response.failed")).terminal is None
    bare = ended().partition(b"\n")[2]
    assert watch(bare).terminal == "response.completed"
    assert watch(ended().replace(b'"type"', b'"kind"')).terminal == "response.completed"
    escaped = ended().replace(b'"response.completed"', b'"response\\u002ecompleted"')
    assert watch(escaped.partition(b"\n")[2]).terminal == "response.completed"
    assert watch(b'data: {"x":1,"type":"a"}\n\ndata: 5\n\n').event_counts == {
        "a": 1,
        "message": 1,
    }
    assert watch(b"data\n\n").event_counts == {"message": 1}


@pytest.mark.parametrize(
    ("last", "usage", "problem"),
    [
        (ended(), USAGE, None),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), USAGE, None),
        (ended(usage=None), None, "usage_missing"),
        (ended("incomplete", usage=None), None, "usage_missing"),
        (ended("failed", usage=None), None, None),
        (ended("cancelled", usage=None), None, None),
        (ended("failed", usage=None, output=[{"type": "message"}]), None, "usage_missing"),
        (ended(usage="much"), None, "usage_invalid"),
        (ended(usage={**USED, "total_tokens": 9}), None, "usage_invalid"),
        (b'data: {"type":"response.completed",\n\n', None, "event_unreadable"),
        (b"event: response.completed\ndata: {\n\n", None, "event_unreadable"),
    ],
)
def test_problems(last: bytes, usage: Usage | None, problem: str | None) -> None:
    for limit in (TIGHT, 1 << 20):
        seen = watch(last, event_bytes_max=limit)
        assert seen.terminal is not None
        assert (seen.usage, seen.problem) == (usage, problem)


def test_the_last_usage_that_is_not_null_wins_with_what_was_said_beside_it() -> None:
    seen = watch(ended(model="a"), ended("failed", usage=None, model="b"))
    assert (seen.terminal, seen.model, seen.usage) == ("response.completed", "a", USAGE)
    seen = watch(ended(usage=None, model="a"), ended(model="b"), ended("incomplete", model="c"))
    assert (seen.terminal, seen.model, seen.problem) == ("response.incomplete", "c", None)


def test_the_id_is_known_as_soon_as_it_passed() -> None:
    for limit in (TIGHT, 1 << 20):
        observer = StreamObserver(event_bytes_max=limit)
        observer.feed(event("response.queued", response=[]))
        assert observer.response_id is None
        observer.feed(event("response.created", response={"id": "one"}))
        assert observer.response_id == "one"
        observer.feed(event("response.in_progress", response={"id": "two"}))
        assert observer.end(is_clean=True).response_id == "one"
    broken = StreamObserver(event_bytes_max=TIGHT)
    broken.feed(b'event: response.created\ndata: {"type":"response.created",oops}\n\n')
    assert broken.response_id is None


def test_errors_are_noted_and_end_nothing() -> None:
    for error in ({"error": {"code": "c", "type": "t"}}, {"code": "c", "message": "m"}):
        seen = watch(event("error", **error))
        assert (seen.terminal, seen.reason, seen.problem) == (None, "c", None)
        failed = ended("failed", usage=None, error={"code": "server_error"})
        assert watch(event("error", **error), failed).reason == "server_error"
        assert watch(event("error", **error), b"event: error\ndata: {\n\n").reason == "c"


def test_output_beside_no_output_tokens_is_suspect() -> None:
    observer = StreamObserver()
    observer.feed(event("response.created", response={"id": "r"}))
    assert not observer.has_output
    for _ in range(3):
        observer.feed(event("response.output_text.delta", delta="a"))
        assert observer.has_output
    zero = {"input_tokens": 0, "output_tokens": 0}
    observer.feed(ended(usage=zero))
    seen = observer.observation
    assert (seen.is_suspect, seen.has_output, observer.events) == (True, True, 5)
    assert not watch(ended(usage=zero)).is_suspect
    reasoned = {"input_tokens": 14, "output_tokens": 0}
    assert watch(ended("incomplete", usage=reasoned, output=[{"type": "reasoning"}])).is_suspect
    assert not watch(ended(output=[{"type": "message"}])).is_suspect


def test_event_types_are_counted_in_bounded_memory() -> None:
    kinds = [event(f"t{number}") for number in range(EVENT_TYPES_MAX + 10)]
    counts = watch(*kinds, *kinds, event("l" * 100)).event_counts
    assert len(counts) == EVENT_TYPES_MAX + 1
    assert counts["other"] == 21
    assert counts["t0"] == 2
    assert watch(event("l" * 100)).event_counts == {"l" * 64: 1}


def test_an_event_of_200_mib_is_read_in_little_memory() -> None:
    head, _, tail = ended(output=[{"type": "image", "result": "@"}]).partition(b"@")
    piece = b"QUJDRA==" * 8192
    observer = StreamObserver()
    tracemalloc.start()
    for chunk in (head, *[piece] * 3200):
        assert observer.feed(chunk) is None
    assert observer.feed(tail) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert observer.observation.usage == USAGE
    assert observer.observation.tools.items == {"image": 1}
    assert peak < 4 << 20
