"""What is played when the request does not say it in a directive, and when it does."""

import pytest

from gateway.simulator.directive import DirectiveInvalid
from gateway.simulator.plan import Plan, chosen_function, make_plan

LOOK = {"type": "function", "name": "look", "parameters": {}}
FIND = {"type": "function", "name": "find", "parameters": {}}
SEARCH = {"type": "web_search_preview"}
SHAPE = {"format": {"type": "json_schema", "name": "n", "schema": {}}}
ANSWERED = [{"type": "function_call_output", "call_id": "c", "output": "look"}]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "text"),
        ({"tools": [LOOK]}, "text"),
        ({"tools": [LOOK], "input": "please look"}, "function_call"),
        ({"tools": [LOOK], "tool_choice": "required"}, "function_call"),
        ({"tools": [LOOK], "tool_choice": {"type": "function", "name": "look"}}, "function_call"),
        ({"tools": [LOOK], "tool_choice": "none", "input": "look"}, "text"),
        ({"tools": [LOOK], "tool_choice": "required", "input": ANSWERED}, "text"),
        ({"tools": [SEARCH]}, "web_search"),
        ({"text": SHAPE}, "parsed"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"reasoning": {"effort": "none"}}, "text"),
        ({"reasoning": {"summary": "auto"}, "text": {}}, "text"),
    ],
)
def test_the_kind_follows_from_the_request(body: dict[str, object], kind: str) -> None:
    assert make_plan(body, {}).kind == kind


def test_a_directive_wins() -> None:
    plan = make_plan({"tools": [SEARCH]}, {"kind": "failed", "when": "after", "code": "x"})
    assert (plan.kind, plan.is_late, plan.error_code, plan.searches) == ("failed", True, "x", 0)


def test_reasoning_follows_the_effort() -> None:
    assert make_plan({"reasoning": {"effort": "high"}}, {}).reasoning_tokens == 128
    assert make_plan({}, {"kind": "reasoning"}).reasoning_tokens == 64
    assert make_plan({}, {"reasoning": "5"}).reasoning_tokens == 5
    assert make_plan({}, {}).reasoning_tokens == 0


def test_searches_keep_to_the_limit_on_tool_calls() -> None:
    assert make_plan({"tools": [SEARCH], "max_tool_calls": 2}, {"searches": "5"}).searches == 2
    assert make_plan({"tools": [SEARCH]}, {}).searches == 1


def test_the_function_that_is_named_is_called() -> None:
    both = [LOOK, FIND]
    assert chosen_function({"tools": both, "tool_choice": {"name": "find"}}) == FIND
    assert chosen_function({"tools": both, "input": "do find it"}) == FIND
    assert chosen_function({"tools": both}) == LOOK
    assert chosen_function({}) is None


@pytest.mark.parametrize(
    "words",
    [{"kind": "song"}, {"output": "999999999"}, {"huge": "9999"}, {"huge_where": "nowhere"}],
)
def test_what_cannot_be_played_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(DirectiveInvalid):
        make_plan({}, words)


def test_a_plan_knows_failures() -> None:
    assert Plan(kind="error").is_failure
    assert not Plan(kind="incomplete").is_failure
