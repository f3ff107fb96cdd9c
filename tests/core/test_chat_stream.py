"""What a completion's chunks say, wherever they are cut, however large or strange they are."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.chat_stream import CHOICES_MAX, ChatStreamObserver
from gateway.core.observation import Observation
from gateway.core.usage import Usage

USED = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
USAGE = Usage(input_tokens=3, output_tokens=5)
DONE = b"data: [DONE]\n\n"
TIGHT = 120
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "usage", "index", "delta", "error"]), inner)
    ),
    max_leaves=8,
)


def data(**fields: Any) -> bytes:
    head = {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-test"}
    return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"


def piece(text: str | None = "hello", *, index: int = 0, ended: str | None = None) -> bytes:
    delta = {} if text is None else {"role": "assistant", "content": text}
    return data(choices=[{"index": index, "delta": delta, "finish_reason": ended}], usage=None)


BEGUN = piece("")
STOP = piece(None, ended="stop")
TOLD = data(choices=[], usage=USED, service_tier="default")
STREAM = BEGUN + piece() + STOP + TOLD + DONE


def watched(*chunks: bytes, is_clean: bool = True, **more: Any) -> Observation:
    observer = ChatStreamObserver(**more)
    for chunk in chunks:
        observer.feed(chunk)
    return observer.end(is_clean=is_clean)


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    marks = [0, *sorted(min(at, len(whole)) for at in cuts), len(whole)]
    return [whole[start:end] for start, end in pairwise(marks)]


def test_a_stream_to_its_end() -> None:
    observer = ChatStreamObserver()
    assert observer.feed(BEGUN) is None
    assert (observer.response_id, observer.has_output) == ("c1", False)
    assert observer.feed(piece()) is None
    assert observer.has_output
    assert observer.feed(STOP + TOLD) is None
    assert observer.usage_events == [(len(STOP), len(STOP + TOLD))]
    assert observer.feed(b": beat\n\n" + DONE + DONE) == len(b": beat\n\n")
    assert observer.usage_events == []
    assert observer.observation == Observation(
        terminal="response.completed",
        response_id="c1",
        model="gpt-test",
        service_tier="default",
        usage=USAGE,
        has_output=True,
    )
    assert observer.events == 6
    assert observer.feed(DONE) is None, "told once"


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=8), st.sampled_from([TIGHT, 1 << 20]))
def test_the_same_is_seen_at_any_cut(cuts: list[int], limit: int) -> None:
    observer = ChatStreamObserver(event_bytes_max=limit)
    done, told = 0, []
    for chunk in cut(STREAM, cuts):
        if (offset := observer.feed(chunk)) is not None:
            told.append((done, offset, len(chunk)))
        done += len(chunk)
    ((before, offset, size),) = told
    assert before + offset == max(len(STREAM) - len(DONE), before)
    assert before + size >= len(STREAM)
    assert observer.end(is_clean=True) == watched(STREAM, event_bytes_max=limit)


@pytest.mark.parametrize("limit", [TIGHT, 1 << 20])
def test_large_chunks_are_skimmed(limit: int) -> None:
    seen = watched(BEGUN, piece("x" * 500), STOP, TOLD, DONE, event_bytes_max=limit)
    assert (seen.usage, seen.terminal, seen.has_output) == (USAGE, "response.completed", True)


@pytest.mark.parametrize(
    ("stream", "is_clean", "terminal"),
    [
        (BEGUN + piece(), True, None),
        (BEGUN + STOP, True, "response.completed"),  # a host that never says [DONE]
        (BEGUN + STOP, False, None),
        (BEGUN + STOP + TOLD, False, "response.completed"),  # all is known that will be
        (BEGUN + TOLD, False, None),
        (BEGUN + DONE, False, "response.completed"),
        (BEGUN + DONE.rstrip(), True, "response.completed"),
        (BEGUN + DONE.rstrip(), False, None),
        (b"data: {\n\n" + DONE, True, "response.completed"),
        (b"", True, None),
    ],
)
def test_when_it_is_over(stream: bytes, is_clean: bool, terminal: str | None) -> None:
    assert watched(stream, is_clean=is_clean).terminal == terminal


def test_all_choices_must_have_ended() -> None:
    one, two = piece(index=0, ended="length"), piece(index=1)
    assert watched(BEGUN, two, one).terminal is None
    seen = watched(BEGUN, two, one, piece(index=1, ended="stop"))
    assert (seen.terminal, seen.reason) == ("response.incomplete", "max_output_tokens")
    many = b"".join(piece(index=place) for place in range(CHOICES_MAX + 9))
    assert watched(many, DONE).terminal == "response.completed"


def test_the_last_usage_wins_and_missing_ones_are_told() -> None:
    early = data(choices=[], usage={**USED, "completion_tokens": 1, "total_tokens": 4})
    assert watched(BEGUN, early, piece(), STOP, TOLD, DONE).usage == USAGE
    beside = data(choices=[{"finish_reason": "stop"}], usage=USED)  # as some hosts tell it
    assert watched(BEGUN, piece(), beside, DONE).usage == USAGE
    assert watched(BEGUN, piece(), STOP, DONE).problem == "usage_missing"
    nothing = data(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 0})
    assert watched(BEGUN, piece(), STOP, nothing, DONE).is_suspect


@pytest.mark.parametrize("limit", [TIGHT, 1 << 20])
def test_what_was_spoken_has_an_id(limit: int) -> None:
    heard = {"audio": {"id": "audio_1", "data": "A" * 500}}
    spoken = data(choices=[{"index": 0, "delta": heard}])
    odd = data(choices=[{"index": 0, "delta": {"audio": "loud"}}])
    seen = watched(BEGUN, spoken, spoken, odd, STOP, TOLD, DONE, event_bytes_max=limit)
    assert (seen.item_ids, seen.usage) == (("audio_1",), USAGE)


def test_an_error_in_the_middle_is_a_failure() -> None:
    error = b'data: {"error": {"message": "m", "type": "server_error", "code": null}}\n\n'
    seen = watched(BEGUN, piece(), error)
    assert (seen.terminal, seen.reason, seen.has_output) == (
        "response.failed",
        "server_error",
        True,
    )
    assert seen.problem == "usage_missing"
    assert watched(BEGUN, error, DONE).problem is None, "nothing was written"
    assert watched(BEGUN, error, TOLD, DONE).usage == USAGE


@settings(deadline=None)
@given(st.lists(JSON, max_size=4), st.binary(max_size=20), st.integers(0, 99))
def test_it_never_raises(documents: list[Any], noise: bytes, at: int) -> None:
    stream = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in documents)
    noisy = stream[:at] + noise + stream[at:]
    assert watched(noisy) == watched(noisy[:at], noisy[at:])
    watched(noisy, event_bytes_max=TIGHT, is_clean=False)
