"""A body becomes the hold of its worst case, at the prices of the moment, or is refused."""

import json
import time
from typing import Any

import pytest

from gateway.app.admission import Admission
from gateway.core.bound import PROMPT_OVERHEAD_TOKENS
from gateway.core.errors import InvalidRequest, PolicyDenied, Unpriced
from gateway.core.exchange import Hold
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice, PriceBook
from tests.builders import price, tenant

CARD = price()
INPUT_PUSD, OUTPUT_PUSD = 2_000_000, 8_000_000


def admitted(*, card: ModelPrice = CARD, is_unpriced_allowed: bool = False, **fields: Any) -> Hold:
    book = PriceBook(version="book", cards={"gpt-test": (card,)})
    admission = Admission(book=book, policy=Policy(is_unpriced_allowed=is_unpriced_allowed))
    return admission.admit(body(**fields), tenant=tenant(), request_id="req-1")


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "gpt-test", "input": "hello", **fields}).encode()


def test_a_hold_says_whose_what_and_how_much() -> None:
    before_us = time.time_ns() // 1000
    fields: dict[str, Any] = {"stream": True, "service_tier": "default", "max_output_tokens": 100}
    hold = admitted(**fields)
    input_tokens = len(body(**fields)) + PROMPT_OVERHEAD_TOKENS
    assert before_us <= hold.created_at_us <= time.time_ns() // 1000
    assert hold == Hold(
        request_id="req-1",
        tenant="acme/search",
        key_id="k00000000001",
        created_at_us=hold.created_at_us,
        hold_pusd=input_tokens * INPUT_PUSD + 100 * OUTPUT_PUSD,
        endpoint="responses",
        model="gpt-test",
        service_tier="default",
        is_stream=True,
        price=CARD,
    )


def test_what_the_body_refers_to_is_held_at_the_models_maximum() -> None:
    hold = admitted(previous_response_id="resp_1", max_output_tokens=1)
    assert hold.hold_pusd == CARD.input_tokens_max * INPUT_PUSD + OUTPUT_PUSD


def test_hosted_tools_are_held_with_their_fees() -> None:
    card = price(tool_fees_pusd={"web_search": 10_000_000_000})
    tools = [{"type": "web_search"}]
    hold = admitted(card=card, tools=tools, max_tool_calls=3, max_output_tokens=1)
    assert hold.hold_pusd == 400_000 * INPUT_PUSD + OUTPUT_PUSD + 3 * 10_000_000_000


def test_without_a_limit_the_models_own_is_held() -> None:
    assert admitted().hold_pusd > CARD.output_tokens_max * OUTPUT_PUSD


def test_a_card_that_is_not_in_force_is_no_price() -> None:
    with pytest.raises(Unpriced):
        admitted(card=price(effective_from_us=2**60))
    with pytest.raises(Unpriced):
        admitted(card=price(effective_to_us=1))


def test_what_has_no_price_is_held_at_nothing_known() -> None:
    hold = admitted(model="gpt-new", is_unpriced_allowed=True)
    assert (hold.model, hold.hold_pusd, hold.price) == ("gpt-new", 0, None)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"model": "gpt-new"}, Unpriced),
        ({"background": True}, PolicyDenied),
        ({"model": 5}, InvalidRequest),
    ],
)
def test_what_is_not_admitted_has_no_hold(
    fields: dict[str, Any], refusal: type[InvalidRequest]
) -> None:
    with pytest.raises(refusal):
        admitted(**fields)
