"""How an exchange can end, and what its record then says."""

from typing import Any

import pytest

from gateway.core.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.core.exchange import STORE_TAG, Basis, Outcome
from gateway.core.life import Life
from tests.builders import hold
from tests.fakes.told import (
    BEFORE,
    BODY,
    BODY_HEAD,
    BOOK,
    CREATED,
    RESPONSE,
    STREAM_HEAD,
    TERMINAL,
    begun,
    event,
    played,
    settled,
)


def test_a_stream_that_broke_off_can_be_asked_for_later() -> None:
    life = begun()
    life.chunk(BEFORE, 11.0)
    life.ended(broken=UpstreamUnavailable("Reset.", is_sent=True, code="upstream_reset"))
    exchange = settled(life)
    assert (exchange.outcome, exchange.basis) == (Outcome.ABORTED, Basis.WORST_CASE)
    assert (exchange.reason, exchange.recoverable) == ("upstream_reset", True)
    assert exchange.cost_pusd == life.hold.hold_pusd


def test_what_the_upstream_does_not_keep_cannot_be_asked_for() -> None:
    life = begun(tags={STORE_TAG: "false"})
    life.chunk(BEFORE, 11.0)
    life.ended(reason="gateway_stopped")
    exchange = settled(life)
    assert (exchange.response_id, exchange.recoverable) == ("resp_1", False)


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
    ("passed", "reason"),
    [
        (b"", "upstream_no_first_event"),
        (b": waiting\n\n", "upstream_no_first_event"),
        (CREATED[:-1], "upstream_no_first_event"),
        (CREATED, "upstream_silent_after_start"),
        (CREATED + event("response.in_progress"), "upstream_silent_after_start"),
        (CREATED + event("keepalive"), "upstream_silent_after_start"),
        (BEFORE, "upstream_idle_timeout"),
    ],
)
def test_a_silent_stream_says_what_was_waited_for(passed: bytes, reason: str) -> None:
    life = begun()
    life.chunk(passed, 11.0)
    life.ended(broken=UpstreamTimeout("Silent.", is_sent=True, code="upstream_idle_timeout"))
    exchange = settled(life)
    assert (exchange.reason, exchange.outcome) == (reason, Outcome.ABORTED)


def test_a_silent_body_has_no_phases() -> None:
    life = begun(head=BODY_HEAD)
    life.ended(broken=UpstreamTimeout("Silent.", is_sent=True, code="upstream_idle_timeout"))
    assert settled(life).reason == "upstream_idle_timeout"


def test_a_late_head_is_a_phase_of_its_own() -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0)
    late = UpstreamTimeout("Late.", is_sent=True, code="upstream_first_byte_timeout")
    life.ended(broken=late)
    assert settled(life).reason == "upstream_first_byte_timeout"


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
    life.sent()
    life.ended(reason="gateway_stopped")
    exchange = settled(life)
    assert (exchange.basis, exchange.reason) == (Basis.WORST_CASE, "gateway_stopped")


def test_what_was_never_sent_costs_nothing() -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0)
    life.ended(reason="drains_max")
    exchange = settled(life)
    assert (exchange.basis, exchange.cost_pusd, exchange.reason) == (Basis.NONE, 0, "drains_max")


def test_who_was_turned_away_owes_nothing_until_it_is_sent_again() -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0)
    life.sent()
    life.turned_away()
    life.ended(reason="gateway_stopped")
    assert settled(life).basis is Basis.NONE


def test_a_stream_that_cannot_be_read_keeps_its_last_bytes_for_the_settlement() -> None:
    life = begun(head=[*STREAM_HEAD, (b"content-encoding", b"br")])
    assert [life.chunk(piece, 11.0) for piece in (b"one", b"two", b"three")] == [
        b"",
        b"one",
        b"two",
    ]
    life.ended()
    assert settled(life).problem == "encoding_unknown"
    assert life.release() == b"three"


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


def test_what_an_upstream_says_can_always_be_kept() -> None:
    said = "resp_\\u0000" + "x" * 400
    life = begun(head=BODY_HEAD)
    life.chunk(b'{"object":"response","status":"completed","id":"%s"}' % said.encode(), 11.0)
    life.ended()
    response_id = settled(life).response_id
    assert response_id is not None
    assert response_id.startswith("resp_?x")
    assert len(response_id) == 256


@pytest.mark.parametrize(("head", "data"), [(STREAM_HEAD, TERMINAL), (BODY_HEAD, BODY)])
def test_beyond_the_operators_limit_usage_is_read_all_the_same(head: Any, data: bytes) -> None:
    life = Life(hold=hold(), book=BOOK, started=10.0, event_bytes_max=64)
    life.answered(status=200, headers=head, now=10.5)
    life.chunk(data, 11.0)
    life.ended()
    assert settled(life).basis is Basis.REPORTED
