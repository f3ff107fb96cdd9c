"""The words for faults, and the pieces into which a body is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.directive import DirectiveInvalid
from gateway.simulator.faults import NO_FAULTS, Cutter, Position, make_faults


def test_no_words_no_faults() -> None:
    assert make_faults({}) == make_faults({"kind": "text"})
    assert make_faults({}).status == NO_FAULTS.status == 200


def test_positions_count_from_the_start_or_the_terminal_event() -> None:
    faults = make_faults({"cut": "12", "reset": "terminal", "stall": "terminal+3,0.5"})
    assert faults.cut == Position(offset=12)
    assert faults.reset == Position(offset=0, is_from_terminal=True)
    assert faults.stall == Position(offset=3, is_from_terminal=True)
    assert faults.stall_seconds == 0.5


def test_delays() -> None:
    assert make_faults({"slow": "20"}).event_delay_seconds == 0.02
    assert make_faults({"pace": "50"}).event_delay_seconds == 0.02
    assert make_faults({"delay": "250"}).head_delay_seconds == 0.25


@pytest.mark.parametrize(
    "words",
    [
        {"cut": "soon"},
        {"stall": "5,long"},
        {"delay": "-1"},
        {"split": "0"},
        {"split": "sometimes"},
        {"status": "bad"},
    ],
)
def test_faults_that_cannot_be_read_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(DirectiveInvalid):
        make_faults(words)


@given(
    parts=st.lists(st.binary(max_size=300), max_size=8),
    split=st.sampled_from(["", "1", "7", "join", "random:1", "random:2"]),
)
def test_cutting_loses_nothing(parts: list[bytes], split: str) -> None:
    cutter = Cutter(split)
    pieces = [piece for part in parts for piece in cutter.feed(part)]
    pieces += cutter.flush()
    assert b"".join(pieces) == b"".join(parts)
    if split == "1":
        assert all(len(piece) == 1 for piece in pieces)


def test_cuts_do_not_care_for_events() -> None:
    cutter = Cutter("4")
    assert list(cutter.feed(b"abcdef")) == [b"abcd"]
    assert list(cutter.feed(b"ghi")) == [b"efgh"]
    assert list(cutter.flush()) == [b"i"]
    assert list(cutter.flush()) == []
    assert list(Cutter("join").feed(b"abc")) == []
