"""What leaves before the settlement and what after: nothing completes unsettled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.exchange import USAGE_TAG, Basis, Exchange, Outcome
from gateway.core.tool_use import ToolUse
from tests.core.test_chat_stream import BEGUN, DONE, STOP, TOLD, piece
from tests.fakes.told import (
    AFTER,
    BEFORE,
    BODY,
    BODY_HEAD,
    CREATED,
    DELTA,
    ITEM,
    TERMINAL,
    begun,
    pieces,
    played,
    settled,
)


def test_a_stream_from_its_hold_to_its_record() -> None:
    life = begun()
    assert life.chunk(CREATED, 11.0) == CREATED
    assert life.chunk(ITEM + DELTA, 11.5) == ITEM + DELTA
    assert life.chunk(DELTA, 12.0) == DELTA
    assert not life.is_due
    assert life.chunk(DELTA + TERMINAL + AFTER, 12.5) == DELTA
    exchange = settled(life)
    assert life.release() == TERMINAL + AFTER
    assert life.release() == b""
    life.ended()
    assert not life.is_due, "settled once"
    assert exchange == Exchange(
        hold=life.hold,
        settled_at_us=7,
        outcome=Outcome.COMPLETED,
        basis=Basis.REPORTED,
        cost_pusd=360_000_000,
        price=life.hold.price,
        lines=exchange.lines,
        usage=exchange.usage,
        tools=ToolUse(items={"message": 1}),
        response_id="resp_1",
        model="gpt-test",
        service_tier="default",
        upstream_request_id="req_1",
        http_status=200,
        duration_seconds=3.0,
        first_byte_seconds=0.5,
        first_output_seconds=1.5,
        events=exchange.events,
    )
    assert exchange.usage is not None
    assert exchange.events > 4


def test_the_last_piece_of_the_terminal_event_waits() -> None:
    stream = BEFORE + TERMINAL
    for cut in range(len(BEFORE), len(stream)):
        before, after, records = played(begun(), [stream[:cut], stream[cut:]])
        assert (before, after) == (stream[:cut], stream[cut:])
        assert [each.outcome for each in records] == [Outcome.COMPLETED]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_the_blank_line_at_each_byte(ending: bytes) -> None:
    stream = (BEFORE + TERMINAL).replace(b"\n", ending)
    for cut in range(len(stream) - 2 * len(ending) - 1, len(stream)):
        before, after, records = played(begun(), [stream[:cut], stream[cut:]])
        assert before + after == stream
        assert not before.endswith(b"}}" + ending * 2)
        assert after
        assert [each.basis for each in records] == [Basis.REPORTED]


@settings(deadline=None)
@given(
    st.sampled_from([BEFORE + TERMINAL, BEFORE + TERMINAL + AFTER, TERMINAL + TERMINAL, BEFORE]),
    st.lists(st.integers(min_value=1, max_value=1200), max_size=12),
)
def test_any_split_of_a_stream_gives_every_byte_and_none_too_soon(
    stream: bytes, cuts: list[int]
) -> None:
    before, after, records = played(begun(), pieces(stream, cuts))
    assert before + after == stream
    assert len(records) == 1
    whole = stream.find(TERMINAL)
    if whole < 0:
        assert (before, records[0].outcome) == (stream, Outcome.ABORTED)
    else:
        assert len(before) < whole + len(TERMINAL)
        assert len(before) >= whole, "what comes before the event does not wait"
        assert records[0].cost_pusd == 360_000_000


@settings(deadline=None)
@given(st.booleans(), st.lists(st.integers(min_value=0, max_value=300), max_size=8))
def test_any_split_of_a_body_gives_every_byte_and_never_the_last_too_soon(
    has_length: bool, cuts: list[int]
) -> None:
    length = [(b"content-length", b"%d" % len(BODY))] if has_length else []
    chunks = [b"", *pieces(BODY, cuts), b""]
    before, after, records = played(begun(head=BODY_HEAD + length), chunks)
    assert before + after == BODY
    assert after == chunks[-2]
    assert [each.cost_pusd for each in records] == [360_000_000]


def test_a_body_with_a_length_is_due_at_its_last_byte() -> None:
    life = begun(head=[*BODY_HEAD, (b"content-length", b"%d" % len(BODY))])
    assert life.chunk(BODY[:-1], 11.0) == BODY[:-1]
    assert life.opened() is None
    assert not life.is_due
    assert life.chunk(BODY[-1:], 11.0) == b""
    assert life.opened() == "resp_1"
    assert settled(life).response_id == "resp_1"
    assert life.release() == BODY[-1:]


def test_a_body_without_a_length_lags_by_one_chunk() -> None:
    life = begun(head=BODY_HEAD)
    assert life.chunk(BODY[:5], 11.0) == b""
    assert life.chunk(BODY[5:], 11.0) == BODY[:5]
    assert not life.is_due
    life.ended()
    assert settled(life).basis is Basis.REPORTED
    assert life.release() == BODY[5:]


@pytest.mark.parametrize("length", [[], [(b"content-length", b"0")]])
def test_an_empty_body_costs_the_worst_case(length: list[tuple[bytes, bytes]]) -> None:
    life = begun(head=BODY_HEAD + length)
    life.ended()
    exchange = settled(life)
    assert (exchange.outcome, exchange.basis) == (Outcome.ABORTED, Basis.WORST_CASE)
    assert exchange.problem == "body_unreadable"
    assert life.release() == b""


def test_a_length_that_is_no_number_is_no_length() -> None:
    life = begun(head=[*BODY_HEAD, (b"content-length", b"x")])
    assert life.chunk(BODY, 11.0) == b""
    assert not life.is_due


def test_what_comes_before_the_release_waits_with_the_rest() -> None:
    life = begun()
    life.chunk(TERMINAL, 11.0)
    assert life.chunk(b": a\n\n", 11.0) == b""
    settled(life)
    assert life.chunk(b": b\n\n", 11.0) == b""
    assert life.release() == TERMINAL + b": a\n\n: b\n\n"
    assert life.chunk(b": c\n\n", 11.0) == b": c\n\n"


@settings(deadline=None)
@given(st.booleans(), st.lists(st.integers(1, 600), max_size=9))
def test_a_completion_is_settled_before_its_end_whoever_is_told_the_usage(
    is_spared: bool,
    cuts: list[int],
) -> None:
    begin = BEGUN + piece() + STOP
    tags = {USAGE_TAG: "left_out"} if is_spared else {}
    told = b"" if is_spared else TOLD
    life = begun(endpoint="chat.completions", tags=tags)
    before, after, records = played(life, pieces(begin + TOLD + DONE + AFTER, cuts))
    assert before + after == begin + told + DONE + AFTER
    assert len(begin + told) <= len(before) < len(begin + told + DONE)
    assert [(each.outcome, each.cost_pusd) for each in records] == [
        (Outcome.COMPLETED, 3 * 2_000_000 + 5 * 8_000_000)
    ]


def test_a_completion_that_breaks_off_passes_all_that_came() -> None:
    life = begun(endpoint="chat.completions", tags={USAGE_TAG: "left_out"})
    before, after, records = played(life, [BEGUN + b"data: {", b'"choices"'])
    assert before + after == BEGUN + b'data: {"choices"'
    assert [each.outcome for each in records] == [Outcome.ABORTED]


def test_a_whole_completion_is_nobodys_to_cut() -> None:
    tags = {USAGE_TAG: "left_out"}
    life = begun(endpoint="chat.completions", tags=tags, head=[(b"content-type", b"text/html")])
    before, after, _ = played(life, [TOLD, DONE])
    assert before + after == TOLD + DONE
