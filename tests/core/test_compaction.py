"""A compaction's body in the terms of any request that costs, and what bounds its cost."""

import json
from typing import Any, get_type_hints

import pytest
from openai.types.responses.response_compact_params import ResponseCompactParams

from gateway.core.admit import admit
from gateway.core.bound import BoundInput, bound, output_that_fits
from gateway.core.compaction import COMPACT, CompactRequest
from gateway.core.observation import Observation
from gateway.core.policy import Policy
from gateway.core.price_book import PriceBook
from gateway.core.settlement import settlement
from tests.builders import hold, price, usage

CARD = price()
TOOLS = [{"type": "web_search"}, {"type": "function", "name": "f"}]


def request(**fields: Any) -> CompactRequest:
    return CompactRequest.parse(json.dumps({"model": "gpt-test", "input": "x", **fields}).encode())


def test_it_may_write_what_the_model_can_and_no_limit_is_put_in() -> None:
    policy = Policy(
        store="deny", max_output_tokens_cap=100, max_tool_calls_cap=1, max_tool_calls_default=1
    )
    admitted = admit(request(tools=TOOLS), policy)
    assert (admitted.body, admitted.changes) == (None, ())
    asked = BoundInput(request=admitted.request)
    worst = bound(asked, CARD)
    assert (worst.output_tokens_max, worst.unbounded) == (CARD.output_tokens_max, ())
    assert output_that_fits(asked, CARD, worst.hold_pusd - 1) is None


def test_tools_are_read_and_do_not_run() -> None:
    few, more = (bound(BoundInput(request=request(tools=TOOLS[:n])), CARD) for n in (0, 2))
    assert (few.unbounded, more.unbounded) == ((), ())
    assert few.hold_pusd < more.hold_pusd
    assert request(tools=TOOLS).own_tools == 2


def test_what_came_before_is_read() -> None:
    again = bound(BoundInput(request=request(previous_response_id="resp_1")), CARD)
    assert again.input_tokens_max == CARD.input_tokens_max


def test_a_policy_chooses_its_model_and_tier() -> None:
    policy = Policy(aliases={"fast": "gpt-test"}, service_tiers=("default",))
    admitted = admit(request(model="fast"), policy)
    assert (admitted.request.model, admitted.request.service_tier) == ("gpt-test", "default")
    assert isinstance(admitted.request, CompactRequest)


def test_no_field_of_the_sdk_is_unfamiliar() -> None:
    assert get_type_hints(ResponseCompactParams).keys() <= CompactRequest.familiar


@pytest.mark.parametrize(("endpoint", "problem"), [(COMPACT, "tier_unpriced"), ("responses", None)])
def test_its_tier_is_the_one_that_was_asked_for(endpoint: str, problem: str | None) -> None:
    seen = Observation(terminal="response.completed", usage=usage(), response_id="resp_1")
    held = hold(endpoint=endpoint, service_tier="flex")
    book = PriceBook(version="book", cards={"gpt-test": (CARD,)})
    assert settlement(held, seen, status=200, book=book).problem == problem
