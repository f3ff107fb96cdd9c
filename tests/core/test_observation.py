"""What makes an observation suspect or a problem, of streams and bodies alike."""

import pytest

from gateway.core.facts import Facts
from gateway.core.observation import TERMINAL_EVENTS, Observation, observe, observe_body
from gateway.core.usage import Usage

NOTHING = Usage(input_tokens=0, output_tokens=0)
SOME = Usage(input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("facts", "terminal", "problem"),
    [
        (Facts(usage=SOME), "response.completed", None),
        (Facts(), "response.completed", "usage_missing"),
        (Facts(), "response.incomplete", "usage_missing"),
        (Facts(), "response.failed", None),
        (Facts(has_output=True), "response.cancelled", "usage_missing"),
        (Facts(has_output=True), None, None),
        (Facts(is_usage_invalid=True), "response.failed", "usage_invalid"),
    ],
)
def test_usage_is_owed_where_work_was_done(
    facts: Facts, terminal: str | None, problem: str | None
) -> None:
    assert observe(facts, terminal=terminal).problem == problem
    assert observe(facts, terminal=terminal, problem="event_unreadable").problem == (
        "event_unreadable"
    )


def test_output_that_cost_no_tokens_is_suspect() -> None:
    for usage, has_output in ((NOTHING, True), (NOTHING, False), (SOME, True), (None, True)):
        facts = Facts(usage=usage, has_output=has_output)
        seen = observe(facts, terminal="response.completed")
        assert seen.is_suspect == (usage is NOTHING and has_output)


def test_a_body_is_observed_by_its_status() -> None:
    assert observe_body(None) == Observation(problem="body_unreadable")
    seen = observe_body(Facts(object="response", status="failed", reason="server_error"))
    assert seen.terminal in TERMINAL_EVENTS
    assert seen.reason == "server_error"
    assert observe_body(Facts(object="list", reason="r")) == Observation(reason="r")
