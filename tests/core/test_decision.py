"""What a policy makes of a body: its price, its worst case, and what budgets may make of that."""

import json
from typing import Any

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.chat import ChatRequest
from gateway.core.decision import Decision, decide
from gateway.core.errors import PolicyDenied, Unpriced
from gateway.core.policy import Policy
from gateway.core.price_book import PriceBook
from tests.builders import AT_US, price

BOOK = PriceBook(version="book", cards={"gpt-test": (price(),)})


def decided(policy: Policy | None = None, **fields: Any) -> Decision:
    body = {"model": "gpt-test", "input": "hello", "max_output_tokens": 100, **fields}
    return decide(
        json.dumps(body).encode(),
        policy=policy or Policy(),
        book=BOOK,
        is_unpriced_allowed=False,
        now_us=AT_US,
    )


def test_a_plain_request_is_bounded() -> None:
    decision = decided()
    assert decision.unbounded is None
    assert decision.bound is not None
    assert decision.bound.output_tokens_max == 100


def test_what_keeps_it_from_a_bound_is_told_unless_the_policy_allows_it() -> None:
    assert "'agents'" in str(decided(agents=4).unbounded)
    assert decided(Policy(unbounded="allow"), agents=4).unbounded is None


def test_without_a_price_there_is_neither_bound_nor_fit() -> None:
    with pytest.raises(Unpriced):
        decided(model="gpt-other")
    decision = decided(Policy(unpriced="allow", fit="clamp"), model="gpt-other")
    assert decision.bound is None
    assert "no price" in str(decision.unbounded)
    assert not decision.fits_output


def test_output_is_lowered_to_what_money_is_left() -> None:
    decision = decided(Policy(fit="clamp"))
    assert decision.fits_output
    assert decision.bound is not None
    fitted = decision.fitted(decision.bound.hold_pusd - 50_000_000)
    assert fitted is not None
    assert 80 < (fitted.admitted.request.max_output_tokens or 0) < 100
    assert fitted.asked.set_by_policy == ("max_output_tokens",)
    assert decision.fitted(1) is None


def test_a_body_is_read_by_its_endpoints_form() -> None:
    body = b'{"model": "gpt-test", "messages": [], "max_tokens": 7}'
    given: dict[str, Any] = {
        "book": BOOK,
        "is_unpriced_allowed": False,
        "now_us": AT_US,
        "form": ChatRequest,
    }
    decision = decide(body, policy=Policy(), **given)
    assert decision.bound is not None
    assert decision.bound.output_tokens_max == 7
    with pytest.raises(PolicyDenied):
        decide(body, policy=Policy(models=("other",)), **given)


def test_a_tool_that_draws_brings_the_prices_of_its_model() -> None:
    book = load_prices()
    body = b'{"model": "gpt-5", "input": "x", "tools": [{"type": "image_generation"}]}'
    given: dict[str, Any] = {"book": book, "is_unpriced_allowed": False, "now_us": AT_US}
    drawn = decide(body, policy=Policy(), **given).price
    plain = book.find("gpt-5", AT_US)
    assert drawn is not None
    assert plain is not None
    assert drawn == book.with_images(plain, AT_US) != plain
