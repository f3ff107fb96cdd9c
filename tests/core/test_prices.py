"""Price cards: what a usage costs at a card."""

from dataclasses import replace

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.fees import TOOL_FEES
from gateway.core.prices import ModelPrice, Rates, TierRates
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


FULL = Rates(
    input=2, cached=1, cache_write=3, cache_write_12h=5, output=9, audio=32, audio_cached=4,
    audio_output=64, image=8, image_cached=3, image_output=30,
)  # fmt: skip
EVERYTHING = replace(
    card(), name="everything", tiers={"default": TierRates(short=FULL, long=FULL)},
    images={"": FULL, "m": FULL}, tool_fees_pusd=dict.fromkeys(TOOL_FEES, 7),
)  # fmt: skip


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


def test_cached_sound_that_is_not_told_apart_has_no_price() -> None:
    heard = Modalities(audio=90)
    mixed = usage(heard, input_tokens=100, cached_tokens=50)
    cost = EVERYTHING.cost(usage=mixed, tools=NO_TOOLS, service_tier=None)
    assert (cost.cost_pusd, cost.problem) == (None, "meter_unpriced")


def test_images_are_text_where_they_have_no_price_and_sound_never_is() -> None:
    seen = usage(Modalities(image=80, image_output=4), input_tokens=100, output_tokens=5)
    plain = usage(input_tokens=100, output_tokens=5)
    costs = [
        card().cost(usage=each, tools=NO_TOOLS, service_tier=None).cost_pusd
        for each in (seen, plain, usage(Modalities(audio=80), input_tokens=100))
    ]
    assert costs[0] == costs[1] is not None
    assert costs[2] is None


@pytest.mark.parametrize("name", BOOK.names())
def test_every_model_of_the_book_prices_plain_text(name: str) -> None:
    cost = card(name).cost(
        usage=usage(input_tokens=1_000, output_tokens=1_000 if card(name).output_tokens_max else 0),
        tools=NO_TOOLS,
        service_tier="default",
    )
    assert cost.cost_pusd
    assert cost.problem is None
