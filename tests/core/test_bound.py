"""The worst case of a request is never below what it then costs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.pricefile import load_prices
from gateway.core.bound import HOLD_PUSD_MAX, PROMPT_OVERHEAD_TOKENS, BoundInput, bound
from gateway.core.prices import ModelPrice
from gateway.core.usage import ToolUse, Usage

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
PLAIN = BoundInput(
    body_bytes=936,
    max_output_tokens=100,
    is_input_unknown=False,
    max_tool_calls=None,
    has_hosted_tools=False,
)


def card(name: str = "gpt-6-sol") -> ModelPrice:
    price = BOOK.find(name, NOW_US)
    assert price is not None
    return price


def test_bytes_bound_the_tokens_of_text() -> None:
    worst = bound(PLAIN, card())
    # Priority is the dearest tier, and a cache write for twelve hours the dearest input.
    assert worst.hold_pusd == 1_000 * 10_000_000 + 100 * 20_000_000
    assert worst.reasons == ()


def test_what_is_not_in_the_body_is_bounded_by_the_model() -> None:
    worst = bound(replace(PLAIN, is_input_unknown=True), card())
    assert worst.hold_pusd == 922_000 * 20_000_000 + 100 * 30_000_000
    assert worst.reasons == ("input_unknown",)


@pytest.mark.parametrize(("asked", "output_tokens"), [(None, 128_000), (10**9, 128_000), (5, 5)])
def test_output_is_bounded_by_the_model_too(asked: int | None, output_tokens: int) -> None:
    worst = bound(replace(PLAIN, max_output_tokens=asked), card())
    assert worst.hold_pusd == 1_000 * 10_000_000 + output_tokens * 20_000_000
    assert worst.reasons == (() if asked else ("output_unlimited",))


@pytest.mark.parametrize(
    ("name", "calls", "fees_pusd", "reasons"),
    [
        ("gpt-6-sol", 3, 3 * 10**10, ("hosted_tools",)),
        ("gpt-6-sol", None, 10 * 10**10, ("hosted_tools", "tool_calls_unlimited")),
        ("gpt-4.1", 2, 2 * 25 * 10**8, ("hosted_tools",)),
    ],
)
def test_tools_are_bounded_by_their_calls(
    name: str, calls: int | None, fees_pusd: int, reasons: tuple[str, ...]
) -> None:
    request = replace(PLAIN, has_hosted_tools=True, max_tool_calls=calls)
    tokens = bound(replace(PLAIN, is_input_unknown=True), card(name))
    worst = bound(request, card(name))
    assert worst.hold_pusd - tokens.hold_pusd == fees_pusd
    assert worst.reasons == reasons


def test_no_hold_is_larger_than_any_budget() -> None:
    worst = bound(replace(PLAIN, has_hosted_tools=True, max_tool_calls=10**30), card())
    assert worst.hold_pusd == HOLD_PUSD_MAX
    assert worst.reasons == ("hosted_tools", "hold_capped")


def test_a_model_without_tool_fees_is_still_bounded() -> None:
    request = replace(PLAIN, has_hosted_tools=True, max_tool_calls=3)
    assert bound(request, replace(card(), tool_fees_pusd={})).hold_pusd > 0


@st.composite
def requests_and_usages(draw: st.DrawFn) -> tuple[BoundInput, ModelPrice, Usage, ToolUse]:
    price = draw(st.sampled_from(BOOK.in_force(NOW_US)))
    request = BoundInput(
        body_bytes=draw(st.integers(0, 2 * price.input_tokens_max)),
        max_output_tokens=draw(st.none() | st.integers(0, price.output_tokens_max)),
        is_input_unknown=draw(st.booleans()),
        max_tool_calls=draw(st.none() | st.integers(0, 20)),
        has_hosted_tools=draw(st.booleans()),
    )
    is_open = request.is_input_unknown or request.has_hosted_tools
    input_max = price.input_tokens_max
    if not is_open:
        input_max = min(request.body_bytes + PROMPT_OVERHEAD_TOKENS, input_max)
    output_max = request.max_output_tokens
    output_max = price.output_tokens_max if output_max is None else output_max
    used = Usage(
        input_tokens=(given_tokens := draw(st.integers(0, input_max))),
        cached_tokens=(cached := draw(st.integers(0, given_tokens))),
        cache_write_tokens=(written := draw(st.integers(0, given_tokens - cached))),
        cache_write_12h_tokens=draw(st.integers(0, written)),
        output_tokens=(made := draw(st.integers(0, output_max))),
        reasoning_tokens=draw(st.integers(0, made)),
    )
    calls = 10 if request.max_tool_calls is None else request.max_tool_calls
    searches = draw(st.integers(0, calls)) if request.has_hosted_tools else 0
    files = calls - searches if request.has_hosted_tools else 0
    return request, price, used, ToolUse(web_searches=searches, items={"file_search_call": files})


@given(requests_and_usages(), st.sampled_from(["default", "flex", "priority", "ultrafast"]))
def test_no_usage_within_the_limits_costs_more(
    case: tuple[BoundInput, ModelPrice, Usage, ToolUse], tier: str
) -> None:
    request, price, used, tools = case
    cost = price.cost(usage=used, tools=tools, service_tier=tier)
    assert cost.cost_pusd is None or cost.cost_pusd <= bound(request, price).hold_pusd
