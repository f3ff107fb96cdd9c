"""What a policy does to a request: nothing, a change that is told, or a refusal that says why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.admit import NAMES_SHOWN_MAX, Admitted, Change, admit, require_price, told
from gateway.core.chat import ChatRequest
from gateway.core.errors import PolicyDenied, Unpriced
from gateway.core.policy import Policy
from gateway.core.request import ResponseRequest
from tests.builders import price


def request(**fields: Any) -> ResponseRequest:
    return ResponseRequest.parse(json.dumps({"model": "gpt-test", **fields}).encode())


def admitted(policy: Policy, **fields: Any) -> Admitted:
    return admit(request(**fields), policy)


def changes(policy: Policy, **fields: Any) -> str:
    return told(admitted(policy, **fields).changes)


def denied(policy: Policy, **fields: Any) -> PolicyDenied:
    with pytest.raises(PolicyDenied) as raised:
        admitted(policy, **fields)
    assert (raised.value.status, raised.value.code) == (400, "policy_denied")
    return raised.value


def test_without_a_policy_a_request_goes_as_it_is() -> None:
    asked = request(max_output_tokens=5, store=True, tools=[{"type": "mcp"}], prompt={"id": "p"})
    assert admit(asked, Policy()) == Admitted(request=asked)


@pytest.mark.parametrize("policy", [Policy(background="deny"), Policy(store="deny")])
def test_background_needs_to_be_allowed_and_stored(policy: Policy) -> None:
    assert changes(Policy(background="allow", store="allow"), background=True) == ""
    with pytest.raises(PolicyDenied) as raised:
        admitted(policy, background=True)
    assert (raised.value.code, raised.value.param) == ("background_not_allowed", "background")


def test_an_allow_list_of_models() -> None:
    policy = Policy(models=("a", "gpt-test"))
    assert changes(policy) == ""
    error = denied(policy, model="gpt-5")
    assert error.param == "model"
    assert "does not allow the model 'gpt-5': it allows a, gpt-test." in error.message


def test_a_long_allow_list_is_not_told_in_full() -> None:
    names = tuple(f"m{number}" for number in range(NAMES_SHOWN_MAX + 3))
    assert "m7 and 3 more." in denied(Policy(models=names)).message
    assert "none is allowed" in denied(Policy(models=())).message


def test_an_alias_is_rewritten_and_its_model_must_be_allowed() -> None:
    policy = Policy(aliases={"fast": "gpt-5-mini", "gpt-5-mini": "gpt-5"}, models=("gpt-5-mini",))
    found = admitted(policy, model="fast", input="é")
    assert found.changes == (Change(field="model", was="fast", now="gpt-5-mini"),)
    assert found.request.model == "gpt-5-mini"
    assert json.loads(found.body or b"") == {"model": "gpt-5-mini", "input": "é"}
    assert denied(policy, model="gpt-5-mini").param == "model"


def test_an_alias_to_its_own_name_changes_nothing() -> None:
    assert admitted(Policy(aliases={"gpt-test": "gpt-test"})).body is None


def test_what_is_not_said_gets_the_default_and_else_the_cap() -> None:
    both = Policy(max_output_tokens_default=100, max_output_tokens_cap=200)
    assert changes(both) == changes(both, max_output_tokens=None) == "max_output_tokens=100"
    assert changes(Policy(max_output_tokens_cap=200)) == "max_output_tokens=200"
    assert changes(both, max_output_tokens=150) == ""


def test_more_than_the_cap_is_lowered_or_refused() -> None:
    assert changes(Policy(max_output_tokens_cap=200), max_output_tokens=200) == ""
    clamped = admitted(Policy(max_output_tokens_cap=200), max_output_tokens=201)
    assert told(clamped.changes) == "max_output_tokens=200 (was 201)"
    assert clamped.request.max_output_tokens == 200
    assert clamped.request.body_bytes == len(clamped.body or b"")
    error = denied(Policy(max_output_tokens_cap=200, over="deny"), max_output_tokens=201)
    assert error.param == "max_output_tokens"
    assert "at most 200; 201 was asked for" in error.message


def test_no_limit_is_set_below_what_the_api_takes() -> None:
    for fields in ({}, {"max_output_tokens": 100}):
        error = denied(Policy(max_output_tokens_cap=15), **fields)
        assert error.param == "max_output_tokens"
        assert "no 'max_output_tokens' below 16" in error.message
    assert changes(Policy(max_output_tokens_cap=16), max_output_tokens=99) != ""


def test_tool_calls_are_limited_where_there_are_hosted_tools() -> None:
    policy = Policy(max_tool_calls_default=4, max_tool_calls_cap=8)
    hosted = [{"type": "web_search"}]
    assert changes(policy) == changes(policy, tools=[{"type": "function"}]) == ""
    assert changes(policy, tools=hosted) == "max_tool_calls=4"
    assert changes(policy, prompt={"id": "p"}) == "max_tool_calls=4"
    assert changes(policy, max_tool_calls=9) == "max_tool_calls=8 (was 9)"
    assert changes(Policy(max_tool_calls_cap=8), tools=hosted) == "max_tool_calls=8"
    error = denied(Policy(max_tool_calls_cap=8, over="deny"), max_tool_calls=9)
    assert error.param == "max_tool_calls"


def test_where_tool_calls_cannot_be_limited_none_beyond_the_cap_is_made() -> None:
    """A chat completion takes no such field: set, it would limit nothing."""
    searching = b'{"model":"gpt-5-search-api","messages":[]}'
    with pytest.raises(PolicyDenied, match="takes no limit of them") as denying:
        admit(ChatRequest.parse(searching), Policy(max_tool_calls_cap=0))
    assert denying.value.param == "tools"
    assert not admit(ChatRequest.parse(searching), Policy(max_tool_calls_cap=1)).changes


def test_an_allow_list_of_tiers() -> None:
    policy = Policy(service_tiers=("default", "flex"))
    assert changes(policy, service_tier="flex") == ""
    assert changes(policy) == changes(policy, service_tier=None) == "service_tier=default"
    assert denied(policy, service_tier="auto").param == "service_tier"
    assert "'priority': it allows default, flex" in denied(policy, service_tier="priority").message
    assert denied(Policy(service_tiers=("flex",))).param == "service_tier"
    assert changes(Policy(service_tiers=("auto",))) == ""


def test_store_is_set_to_false_or_refused() -> None:
    policy = Policy(store="deny")
    assert changes(policy) == changes(policy, store=None) == "store=false"
    assert changes(policy, store=False) == ""
    assert denied(policy, store=True).param == "store"
    assert changes(Policy(store="allow"), store=True) == ""


def test_an_allow_list_of_tools() -> None:
    policy = Policy(tools=("function",))
    assert changes(policy, tools=[{"type": "function", "name": "f"}]) == ""
    error = denied(policy, tools=[{"type": "function"}, {"type": "mcp"}])
    assert error.param == "tools[1]"
    assert "does not allow the tool 'mcp': it allows function." in error.message
    assert "'of no type'" in denied(policy, tools=[{}]).message
    assert denied(policy, prompt={"id": "p"}).param == "prompt"


def test_a_tool_with_a_model_of_its_own() -> None:
    policy = Policy(models=("gpt-test", "gpt-image-1"))
    assert changes(policy, tools=[{"type": "image_generation", "model": "gpt-image-1"}]) == ""
    error = denied(policy, tools=[{"type": "image_generation", "model": "gpt-image-2"}])
    assert error.param == "tools[0].model"


def test_what_has_no_bound_is_refused_where_it_is_denied() -> None:
    policy = Policy(unbounded="deny")
    assert changes(policy, tools=[{"type": "function"}], previous_response_id="resp_1") == ""
    assert denied(policy, tools=[{"type": "web_search"}]).param == "tools"
    assert denied(policy, prompt={"id": "p"}).param == "prompt"


def test_a_model_without_a_price_is_refused_by_name_unless_allowed() -> None:
    require_price(request(), price(), is_unpriced_allowed=False)
    require_price(request(), None, is_unpriced_allowed=True)
    with pytest.raises(Unpriced, match="'gpt-test'") as raised:
        require_price(request(), None, is_unpriced_allowed=False)
    assert (raised.value.code, raised.value.param) == ("model_not_priced", "model")


def test_what_is_told_fits_a_header() -> None:
    line = told(
        (
            Change(field="model", was="schnell\u00fc\u2028", now="gpt-5"),
            Change(field="store", was=None, now=False),
        )
    )
    assert line == "model=gpt-5 (was schnell\\xfc\\u2028), store=false"


COUNTS = st.none() | st.integers(1, 64)


@given(
    asked=st.none() | st.integers(0, 64),
    default=st.none() | st.integers(16, 64),
    cap=COUNTS,
    over=st.sampled_from([None, "clamp", "deny"]),
)
def test_admitting_never_raises_a_limit_and_is_done_once(
    asked: int | None, default: int | None, cap: int | None, over: Any
) -> None:
    policy = Policy(
        max_output_tokens_default=default if cap is None or default is None else min(default, cap),
        max_output_tokens_cap=cap,
        over=over,
    )
    try:
        once = admitted(policy, max_output_tokens=asked)
    except PolicyDenied:
        return
    limit = once.request.max_output_tokens
    assert asked is None or (limit is not None and limit <= asked)
    assert cap is None or (limit is not None and limit <= cap)
    assert admit(once.request, policy).changes == ()


def test_a_completion_window_without_a_price_is_refused_by_its_field() -> None:
    windowed = request(background=True, background_options={"completion_window": "8h"})
    with pytest.raises(Unpriced, match="'8h'") as refused:
        require_price(windowed, None, is_unpriced_allowed=False)
    assert refused.value.param == "background_options"
    require_price(windowed, None, is_unpriced_allowed=True)
