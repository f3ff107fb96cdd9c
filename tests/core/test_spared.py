"""What is left out, is left out whole; all other bytes pass, in order, at whatever cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.chat_stream import ChatStreamObserver
from gateway.core.spared import HELD_BYTES_MAX, Spared
from tests.core.test_chat_stream import BEGUN, DONE, STOP, TOLD, cut, data, piece

BEAT = b": beat\n\n"
AZURE = data(choices=[], usage=None, prompt_filter_results=[{}])
BEFORE = BEAT + AZURE + BEGUN + piece() + STOP
AFTER = BEAT + DONE + b": bye\n\n"
ENDINGS = [b"\n", b"\r", b"\r\n"]


def spared(chunks: list[bytes]) -> tuple[bytes, int | None]:
    """What passed, and where in it the end began."""
    passing = Spared(ChatStreamObserver())
    passed, ended_at = b"", None
    for chunk in chunks:
        if ended_at is not None:
            passed += chunk  # as a life does: what comes behind the end is not fed
            continue
        ready, offset = passing.feed(chunk)
        if offset is not None:
            ended_at = len(passed) + offset
        passed += ready
    return passed + passing.end(), ended_at


@settings(deadline=None)
@given(st.sampled_from(ENDINGS), st.lists(st.integers(0, 1000), max_size=9))
def test_the_usage_is_left_out_and_nothing_else(ending: bytes, cuts: list[int]) -> None:
    stream, expected, before = (
        each.replace(b"\n", ending)
        for each in (BEFORE + TOLD + AFTER, BEFORE + AFTER, BEFORE + BEAT)
    )
    passed, ended_at = spared(cut(stream, cuts))
    assert passed == expected
    assert ended_at is not None
    assert ended_at == len(before)


@pytest.mark.parametrize("ending", ENDINGS)
def test_byte_by_byte(ending: bytes) -> None:
    stream = (BEFORE + TOLD + AFTER).replace(b"\n", ending)
    expected = (BEFORE + AFTER).replace(b"\n", ending)
    assert spared([stream[at : at + 1] for at in range(len(stream))])[0] == expected


def test_what_is_whole_passes_at_once_and_the_rest_at_the_end() -> None:
    passing = Spared(ChatStreamObserver())
    assert passing.feed(BEAT + BEGUN + b"data: {") == (BEAT + BEGUN, None)
    assert passing.feed(b'"choices": ') == (b"", None)
    assert passing.end() == b'data: {"choices": '
    assert passing.end() == b""


def test_an_event_that_is_too_long_to_wait_passes_as_it_comes() -> None:
    long = piece("x" * 3 * HELD_BYTES_MAX)
    half = len(long) // 2
    passing = Spared(ChatStreamObserver())
    assert passing.feed(long[:half]) == (long[:half], None)
    assert passing.feed(long[half:-1]) == (long[half:-1], None)
    assert passing.feed(b"\n" + TOLD) == (b"\n", None)
    assert passing.feed(BEAT + DONE) == (BEAT + DONE, len(BEAT))


def test_what_has_left_in_part_leaves_whole() -> None:
    fat = TOLD.replace(b"data: {", b"data: {" + b" " * HELD_BYTES_MAX)
    for split in (HELD_BYTES_MAX + 7, len(fat) - 1):
        assert spared([fat[:split], fat[split:], DONE])[0] == fat + DONE
    torn = Spared(ChatStreamObserver())
    torn.feed(fat[:-2])
    assert torn.end() == b""
