"""When a response is asked for again, when that is enough, and what it then comes to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.core.exchange import BACKGROUND_TAG, SOONEST, Basis, Exchange, Outcome
from gateway.core.observation import Observation
from gateway.core.price_book import PriceBook
from gateway.core.reconciliation import (
    PAUSE_SECONDS_MAX,
    PAUSE_SECONDS_MIN,
    Patience,
    Told,
    concluded,
    learned,
    pause_seconds,
    resolved,
)
from tests.builders import hold, price, usage

BOOK = PriceBook(version="book", cards={"gpt-test": (price(),)})
PATIENCE = Patience(seconds_max=900, missing_seconds_max=10, background_seconds_max=5000)
HOLD = hold()
# As it is owed if nothing more is learned.
BROKEN = Exchange(
    hold=HOLD,
    settled_at_us=7,
    outcome=Outcome.ABORTED,
    basis=Basis.WORST_CASE,
    cost_pusd=HOLD.hold_pusd,
    response_id="resp_1",
    upstream_request_id="req_up",
    http_status=200,
    reason="upstream_reset",
    client_gone=True,
    recoverable=True,
    duration_seconds=1.5,
    first_byte_seconds=0.5,
    first_output_seconds=0.75,
    events=9,
)
COMPLETED = {
    "terminal": "response.completed", "status": "completed", "usage": usage(),
    "model": "gpt-test", "service_tier": "default", "response_id": "resp_1", "has_output": True,
}  # fmt: skip


def told(**seen: Any) -> Told:
    return Told(status=200, observation=Observation(**seen))


def after(seconds: float, answer: Told | None) -> Exchange | None:
    return resolved(BROKEN, answer, age_seconds=seconds, patience=PATIENCE, book=BOOK)


def test_what_has_ended_is_exact_and_what_happened_here_is_kept() -> None:
    known = after(0, told(**COMPLETED))
    assert known is not None
    assert (known.outcome, known.basis, known.cost_pusd) == ("completed", "retrieved", 360_000_000)
    assert sum(line.cost_pusd for line in known.lines) == known.cost_pusd
    assert (known.usage, known.model, known.service_tier) == (usage(), "gpt-test", "default")
    assert (known.recoverable, known.problem) == (False, None)
    learned = {
        name: getattr(BROKEN, name)
        for name in (
            "outcome", "basis", "cost_pusd", "price", "lines", "usage", "model", "service_tier",
            "recoverable",
        )
    }  # fmt: skip
    assert structs.replace(known, **learned) == BROKEN


def test_what_the_response_says_of_its_end_is_its_reason() -> None:
    cut_short = {**COMPLETED, "terminal": "response.incomplete", "reason": "max_output_tokens"}
    known = after(0, told(**cut_short))
    assert known is not None
    assert (known.outcome, known.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize(
    ("seen", "outcome", "basis", "cost_pusd"),
    [
        ({"terminal": "response.failed", "status": "failed"}, "failed", "none", 0),
        (
            {"terminal": "response.cancelled", "status": "cancelled"},
            "cancelled", "worst_case", HOLD.hold_pusd,
        ),
        ({**COMPLETED, "model": "gpt-unheard-of"}, "completed", "retrieved", None),
    ],
)  # fmt: skip
def test_the_rules_of_money_are_those_of_any_answer(
    seen: dict[str, Any], outcome: str, basis: str, cost_pusd: int | None
) -> None:
    known = after(0, told(**seen))
    assert known is not None
    assert (known.outcome, known.basis, known.cost_pusd) == (outcome, basis, cost_pusd)
    assert not known.recoverable


UNDECIDED = [
    None,
    told(status="in_progress"),
    told(status="queued"),
    *(Told(status=code, observation=Observation()) for code in (401, 403, 408, 429, 500, 503)),
]
MISSING = [
    Told(status=200, observation=Observation(problem="body_unreadable")),
    *(Told(status=code, observation=Observation()) for code in (204, 302, 400, 404, 405, 410, 501)),
]


@pytest.mark.parametrize("answer", UNDECIDED)
def test_what_may_still_be_told_is_asked_for_until_patience_ends(answer: Told | None) -> None:
    assert after(899.9, answer) is None
    assert after(900, answer) == BROKEN  # the upstream may still be asked, by whoever wants to know


@pytest.mark.parametrize("answer", MISSING)
def test_what_the_upstream_does_not_have_is_given_up_sooner(answer: Told) -> None:
    assert after(9.9, answer) is None
    assert after(10, answer) == structs.replace(BROKEN, recoverable=False)


def test_words_of_the_upstream_are_made_fit_to_be_kept() -> None:
    known = after(0, told(**{**COMPLETED, "model": "a\0b", "service_tier": "c\n", "reason": "\0"}))
    assert known is not None
    assert (known.model, known.service_tier, known.reason) == ("a?b", "c?", "?")


@given(st.floats(0, 10**7))
def test_pauses_grow_with_the_age_within_their_limits(age_seconds: float) -> None:
    pause = pause_seconds(age_seconds)
    assert PAUSE_SECONDS_MIN <= pause <= PAUSE_SECONDS_MAX
    assert pause <= pause_seconds(age_seconds + 1)
    assert pause in {age_seconds / 10, PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX}


def test_the_background_is_asked_for_longer_and_lasts_until_it_is_posted() -> None:
    running = told(status="in_progress")
    behind = structs.replace(BROKEN, hold=hold(tags={BACKGROUND_TAG: SOONEST}))
    for age_seconds, is_over in ((901, False), (5000, True)):
        known = resolved(behind, running, age_seconds=age_seconds, patience=PATIENCE, book=BOOK)
        assert (known is not None) == is_over
    assert after(901, running) is not None
    at_us = behind.hold.created_at_us + 2_500_000
    assert concluded(behind, at_us) == structs.replace(
        behind, settled_at_us=at_us, duration_seconds=2.5
    )
    assert concluded(behind, 7).duration_seconds == 0  # a clock that was set back
    assert concluded(BROKEN, 8) == structs.replace(BROKEN, settled_at_us=8)


def test_a_completion_window_without_a_price_has_none() -> None:
    behind = structs.replace(BROKEN, hold=hold(tags={BACKGROUND_TAG: "8h"}, price=None))
    known = learned(
        behind, told(**COMPLETED), PriceBook(version="1", cards={"gpt-test": (price(),)})
    )
    assert known is not None
    assert (known.cost_pusd, known.problem) == (None, "window_unpriced")


@pytest.mark.parametrize("status", [404, 500])
def test_nothing_is_learned_from_an_error(status: int) -> None:
    assert learned(BROKEN, replace(told(**COMPLETED), status=status), BOOK) is None
