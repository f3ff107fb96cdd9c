"""Scripts of an exchange: what it is told, and what it answers. Nothing completes unsettled."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.core.exchange import Basis, Exchange, Outcome
from gateway.core.life import Life
from gateway.core.prices import PriceBook
from tests.builders import hold, price

USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-test",
    "service_tier": "default",
    "output": [{"type": "message"}],
    "usage": USAGE,
}
BODY = json.dumps(RESPONSE).encode()
STREAM_HEAD = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-request-id", b"req_1")]
BODY_HEAD = [(b"content-type", b"application/json")]
BOOK = PriceBook(version="book", cards={"gpt-test": (price(),)})


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


CREATED = event("response.created", response={"id": "resp_1", "usage": None})
ITEM = event("response.output_item.added", item={"type": "message"})
DELTA = event("response.output_text.delta", delta="hello")
TERMINAL = event("response.completed", response=RESPONSE)
AFTER = b": bye\n\ndata: [DONE]\n\n"
BEFORE = CREATED + ITEM + DELTA + DELTA


def begun(*, status: int = 200, head: Any = STREAM_HEAD, **fields: Any) -> Life:
    life = Life(hold=hold(**fields), book=BOOK, started=10.0)
    life.answered(status=status, headers=head, now=10.5)
    return life


def settled(life: Life) -> Exchange:
    assert life.is_due
    exchange = life.settle(settled_at_us=7, now=13.0)
    assert not life.is_due
    return exchange


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def played(life: Life, chunks: list[bytes]) -> tuple[bytes, bytes, list[Exchange]]:
    """Drive a life as a relay does: what left before its settlement, what after, its records."""
    before, after = b"", b""
    records: list[Exchange] = []
    for chunk in chunks:
        ready = life.chunk(chunk, 11.0)
        if records:
            after += ready
        else:
            before += ready
        if life.is_due:
            records.append(settled(life))
            after += life.release()
    life.ended()
    if life.is_due:
        records.append(settled(life))
        after += life.release()
    return before, after, records


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
        lines=exchange.lines,
        usage=exchange.usage,
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


def test_a_stream_that_broke_off_can_be_asked_for_later() -> None:
    life = begun()
    life.chunk(BEFORE, 11.0)
    life.ended(broken=UpstreamUnavailable("Reset.", is_sent=True, code="upstream_reset"))
    exchange = settled(life)
    assert (exchange.outcome, exchange.basis) == (Outcome.ABORTED, Basis.WORST_CASE)
    assert (exchange.reason, exchange.recoverable) == ("upstream_reset", True)
    assert exchange.cost_pusd == life.hold.hold_pusd


def test_a_broken_stream_does_not_end_its_last_event() -> None:
    unfinished = BEFORE + TERMINAL[:-1]
    broken = begun()
    broken.chunk(unfinished, 11.0)
    broken.ended(broken=UpstreamUnavailable("Reset.", is_sent=True))
    assert settled(broken).outcome is Outcome.ABORTED
    clean = begun()
    clean.chunk(unfinished, 11.0)
    clean.ended()
    assert settled(clean).outcome is Outcome.COMPLETED


def test_a_stream_given_up_says_why() -> None:
    life = begun()
    life.client_left()
    life.ended(reason="drain_seconds_max")
    exchange = settled(life)
    assert (exchange.client_gone, exchange.reason) == (True, "drain_seconds_max")
    assert (exchange.basis, exchange.recoverable) == (Basis.WORST_CASE, False)
    assert exchange.first_output_seconds is None


def test_a_client_that_left_is_a_fact_beside_the_outcome() -> None:
    life = begun()
    life.client_left()
    life.chunk(BEFORE + TERMINAL, 11.0)
    exchange = settled(life)
    assert (exchange.client_gone, exchange.outcome) == (True, Outcome.COMPLETED)
    assert exchange.cost_pusd == 360_000_000


@pytest.mark.parametrize(
    ("is_sent", "outcome", "basis"),
    [(False, Outcome.FAILED, Basis.NONE), (True, Outcome.ABORTED, Basis.WORST_CASE)],
)
def test_an_upstream_that_did_not_answer(is_sent: bool, outcome: Outcome, basis: Basis) -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0)
    assert life.opened() is None
    life.ended(broken=UpstreamTimeout("Late.", is_sent=is_sent))
    exchange = settled(life)
    assert (exchange.outcome, exchange.basis) == (outcome, basis)
    assert exchange.cost_pusd == (life.hold.hold_pusd if is_sent else 0)
    assert (exchange.reason, exchange.http_status) == ("upstream_timeout", None)
    assert (exchange.first_byte_seconds, exchange.recoverable) == (None, False)
    assert (exchange.usage, exchange.model, exchange.events) == (None, None, 0)


def test_a_gateway_that_stops_before_the_answer_owes_the_worst_case() -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0)
    life.ended(reason="gateway_stopped")
    exchange = settled(life)
    assert (exchange.basis, exchange.reason) == (Basis.WORST_CASE, "gateway_stopped")


def test_bytes_before_an_answer_pass() -> None:
    assert Life(hold=hold(), book=BOOK, started=0.0).chunk(b"x", 1.0) == b"x"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error":{"code":"rate_limit_exceeded"}}', "rate_limit_exceeded"),
        (b"{}", "http_429"),
        (b"<html>", "http_429"),
    ],
)
def test_a_refusal_of_the_upstream_is_relayed_and_free(body: bytes, reason: str) -> None:
    before, after, records = played(begun(status=429, head=BODY_HEAD), [body])
    assert before + after == body
    assert (records[0].basis, records[0].cost_pusd) == (Basis.NONE, 0)
    assert (records[0].reason, records[0].http_status) == (reason, 429)


def test_the_response_id_is_told_once() -> None:
    life = begun()
    assert life.opened() is None
    life.chunk(CREATED, 11.0)
    assert life.opened() == "resp_1"
    assert life.opened() is None


def test_a_usage_that_is_missing_costs_the_hold() -> None:
    ending = event("response.completed", response={**RESPONSE, "usage": None})
    _, _, records = played(begun(), [BEFORE + ending])
    assert (records[0].basis, records[0].problem) == (Basis.WORST_CASE, "usage_missing")
    assert records[0].cost_pusd == records[0].hold.hold_pusd
    assert records[0].recoverable


def test_what_has_no_price_has_no_cost() -> None:
    _, _, records = played(begun(price=None, hold_pusd=0), [BEFORE + TERMINAL])
    assert (records[0].basis, records[0].problem) == (Basis.REPORTED, "model_unpriced")
    assert records[0].cost_pusd is None


def test_the_reason_comes_from_the_response_first() -> None:
    details = {"reason": "max_output_tokens"}
    ending = event(
        "response.incomplete",
        response={**RESPONSE, "status": "incomplete", "incomplete_details": details},
    )
    _, _, records = played(begun(), [BEFORE + ending])
    assert (records[0].outcome, records[0].reason) == (Outcome.INCOMPLETE, "max_output_tokens")


@pytest.mark.parametrize("content_type", [b"TEXT/Event-Stream", b"text/event-stream ;charset=x"])
def test_a_stream_is_known_by_its_media_type(content_type: bytes) -> None:
    life = begun(head=[(b"content-type", content_type)])
    assert life.chunk(CREATED, 11.0) == CREATED


def test_what_cannot_be_read_is_relayed_all_the_same() -> None:
    before, after, records = played(begun(head=[(b"content-type", b"text/html")]), [b"a", b"b"])
    assert (before, after) == (b"a", b"b")
    assert (records[0].basis, records[0].problem) == (Basis.WORST_CASE, "content_type_unknown")
