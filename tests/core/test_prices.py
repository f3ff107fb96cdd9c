"""Price cards: what a usage costs at a card, and the laws that every cost obeys."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.pricefile import load_prices
from gateway.core.prices import ModelPrice
from gateway.core.tool_use import NO_TOOLS, ImageUse, ToolUse
from gateway.core.usage import TEXT_ONLY, Modalities, Usage

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
THRESHOLD_TOKENS = 272_000


def card(name: str = "gpt-6-sol") -> ModelPrice:
    price = BOOK.find(name, NOW_US)
    assert price is not None
    return price


def usage(modalities: Modalities = TEXT_ONLY, **counts: int) -> Usage:
    return Usage(**{"input_tokens": 0, "output_tokens": 0} | counts, modalities=modalities)


def test_meters_are_disjoint() -> None:
    cost = card().cost(
        usage=usage(
            input_tokens=1_000,
            cached_tokens=100,
            cache_write_tokens=30,
            cache_write_12h_tokens=10,
            output_tokens=50,
            reasoning_tokens=20,
        ),
        tools=ToolUse(web_searches=2, items={"file_search_call": 3, "message": 1}),
        service_tier="default",
    )
    assert {line.meter: line.quantity for line in cost.lines} == {
        "input": 870,
        "input_cached": 100,
        "input_cache_write": 20,
        "input_cache_write_12h": 10,
        "output": 30,
        "output_reasoning": 20,
        "web_search": 2,
        "file_search": 3,
    }


@pytest.mark.parametrize(
    ("served", "priced_as"), [(None, "default"), ("auto", "default"), ("fast", "priority")]
)
def test_a_tier_has_other_names(served: str | None, priced_as: str) -> None:
    asked = usage(input_tokens=10, output_tokens=10)
    by_name = card().cost(usage=asked, tools=NO_TOOLS, service_tier=priced_as)
    assert card().cost(usage=asked, tools=NO_TOOLS, service_tier=served) == by_name
    assert by_name.cost_pusd


@pytest.mark.parametrize("tier", ["ultrafast", "scale", "Flex", "", "constructor"])
def test_a_tier_that_is_not_offered_has_no_price(tier: str) -> None:
    cost = card("gpt-5.1").cost(
        usage=usage(input_tokens=10), tools=ToolUse(web_searches=1), service_tier=tier
    )
    assert (cost.cost_pusd, cost.problem) == (None, "tier_unpriced")
    assert [line.meter for line in cost.lines] == ["web_search"]


def test_above_the_threshold_the_whole_request_is_dearer() -> None:
    at, above = (
        card().cost(usage=usage(input_tokens=tokens), tools=NO_TOOLS, service_tier=None)
        for tokens in (THRESHOLD_TOKENS, THRESHOLD_TOKENS + 1)
    )
    assert at.cost_pusd == THRESHOLD_TOKENS * 2_000_000
    assert above.cost_pusd == (THRESHOLD_TOKENS + 1) * 4_000_000


def test_a_missing_long_row_is_no_price() -> None:
    cost = card("gpt-5.5").cost(
        usage=usage(input_tokens=THRESHOLD_TOKENS + 1), tools=NO_TOOLS, service_tier="priority"
    )
    assert (cost.cost_pusd, cost.problem) == (None, "tier_unpriced")


@pytest.mark.parametrize(
    "tools",
    [
        ToolUse(items={"code_interpreter_call": 1}, containers={"": 1}),
        ToolUse(items={"image_generation_call": 1}),
        ToolUse(items={"shell_call": 1}, containers={"": 1}),
        ToolUse(items={"teleport_call": 1}),
        ToolUse(items={"hologram": 1}),
        ToolUse(images=ImageUse(models=("gpt-image-2",), usage=None)),
    ],
)
def test_an_unknown_meter_is_never_free(tools: ToolUse) -> None:
    cost = card().cost(usage=usage(input_tokens=7), tools=tools, service_tier=None)
    assert (cost.cost_pusd, cost.problem) == (None, "meter_unpriced")
    assert [line.meter for line in cost.lines] == ["input"]


@pytest.mark.parametrize(
    "item",
    ["message", "reasoning", "function_call", "mcp_call", "web_search_call", "x_call_output"],
)
def test_items_that_cost_only_tokens_are_free(item: str) -> None:
    cost = card().cost(usage=usage(), tools=ToolUse(items={item: 5}), service_tier=None)
    assert (cost.cost_pusd, cost.lines) == (0, ())


def test_cache_writes_without_a_price_have_none() -> None:
    cost = card("gpt-5.4").cost(
        usage=usage(input_tokens=10, cache_write_tokens=4), tools=NO_TOOLS, service_tier=None
    )
    assert (cost.cost_pusd, cost.problem) == (None, "meter_unpriced")


def test_a_search_whose_fee_depends_on_the_kind_of_tool_has_no_price() -> None:
    cost = card("gpt-4.1").cost(usage=usage(), tools=ToolUse(web_searches=1), service_tier=None)
    assert (cost.cost_pusd, cost.problem) == (None, "meter_unpriced")


def test_counts_that_nobody_can_owe_have_no_cost() -> None:
    cost = card().cost(usage=usage(output_tokens=2**53 - 1), tools=NO_TOOLS, service_tier=None)
    assert (cost.cost_pusd, cost.problem) == (None, "cost_out_of_range")


counts = st.integers(0, 10**6)
usages = st.builds(
    lambda uncached, cached, written, kept, plain, thought: Usage(
        input_tokens=uncached + cached + written + kept,
        cached_tokens=cached,
        cache_write_tokens=written + kept,
        cache_write_12h_tokens=kept,
        output_tokens=plain + thought,
        reasoning_tokens=thought,
    ),
    *[counts] * 6,
)
cards = st.sampled_from([price for name in BOOK.names() for price in BOOK.cards[name]])
tiers = st.sampled_from([None, "auto", "default", "flex", "priority", "fast", "ultrafast", "scale"])
tool_uses = st.builds(
    ToolUse,
    web_searches=st.integers(0, 50),
    items=st.dictionaries(st.sampled_from(["message", "file_search_call", "new_call"]), counts),
)


@given(cards, usages, tool_uses, tiers)
def test_a_cost_is_the_sum_of_its_lines(
    price: ModelPrice, used: Usage, tools: ToolUse, tier: str | None
) -> None:
    cost = price.cost(usage=used, tools=tools, service_tier=tier)
    assert all(
        line.cost_pusd == line.quantity * line.unit_price_pusd >= 0 < line.quantity
        for line in cost.lines
    )
    assert (cost.cost_pusd is None) == (cost.problem is not None)
    if cost.cost_pusd is not None:
        assert cost.cost_pusd == sum(line.cost_pusd for line in cost.lines)


GROWTHS: dict[str, Callable[[Usage, int], Usage]] = {
    "input": lambda used, more: replace(used, input_tokens=used.input_tokens + more),
    "output": lambda used, more: replace(used, output_tokens=used.output_tokens + more),
    "cached": lambda used, more: replace(
        used, input_tokens=used.input_tokens + more, cached_tokens=used.cached_tokens + more
    ),
    "reasoning": lambda used, more: replace(
        used,
        output_tokens=used.output_tokens + more,
        reasoning_tokens=used.reasoning_tokens + more,
    ),
}


@given(cards, usages, st.sampled_from(sorted(GROWTHS)), st.integers(1, 10**6))
def test_more_never_costs_less(price: ModelPrice, used: Usage, what: str, more: int) -> None:
    less = price.cost(usage=used, tools=NO_TOOLS, service_tier=None).cost_pusd
    greater = price.cost(
        usage=GROWTHS[what](used, more), tools=NO_TOOLS, service_tier=None
    ).cost_pusd
    assert less is None or greater is None or greater >= less


@pytest.mark.parametrize("name", BOOK.names())
def test_every_model_of_the_book_prices_plain_text(name: str) -> None:
    cost = card(name).cost(
        usage=usage(input_tokens=1_000, output_tokens=1_000 if card(name).output_tokens_max else 0),
        tools=NO_TOOLS,
        service_tier="default",
    )
    assert cost.cost_pusd
    assert cost.problem is None
