"""The arithmetic that other meters got wrong, with the numbers they got wrong, in USD.

`tests/README.md` lists the bugs by number. Each case says what was used, and what it must come to.
"""

from decimal import Decimal
from typing import Any

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.prices import Rates
from gateway.core.tool_use import NO_TOOLS, ImageUse, Item, Tool, ToolUse, tool_use_from
from gateway.core.usage import TEXT_ONLY, Modalities, Usage, UsageInvalid, usage_from
from tests.builders import price

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
MILLION = 10**6


def cost_usd(
    model: str, tier: str = "default", tools: ToolUse = NO_TOOLS, **counts: int
) -> Decimal | None:
    card = BOOK.find(model, NOW_US)
    assert card is not None
    used = Usage(**{"input_tokens": 0, "output_tokens": 0, **counts}, modalities=TEXT_ONLY)
    cost = card.cost(usage=used, tools=tools, service_tier=tier)
    return None if cost.cost_pusd is None else Decimal(cost.cost_pusd).scaleb(-12)


def usd(*parts: tuple[int, str]) -> Decimal:
    """Counts at prices for a million, added up."""
    return sum((count * Decimal(unit) / MILLION for count, unit in parts), Decimal(0))


def test_cached_tokens_are_a_part_of_the_input_and_paid_once() -> None:
    cost = cost_usd("gpt-4o", input_tokens=2006, cached_tokens=1920, output_tokens=300)
    assert cost == usd((86, "2.5"), (1920, "1.25"), (300, "10"))
    assert cost_usd("gpt-4o", input_tokens=1920, cached_tokens=1920) == usd((1920, "1.25"))


def test_a_part_of_the_text_that_was_cached_is_no_second_part() -> None:
    details = {"cached_tokens": 90, "text_tokens": 100}
    used = usage_from({"input_tokens": 100, "output_tokens": 0, "input_tokens_details": details})
    assert used == Usage(input_tokens=100, output_tokens=0, cached_tokens=90)


def test_writes_come_out_of_the_input_and_have_a_price_of_their_own() -> None:
    cost = cost_usd(
        "gpt-5.6-sol", input_tokens=10_000, cached_tokens=4_000, cache_write_tokens=5_000
    )
    assert cost == usd((1_000, "4"), (4_000, "0.4"), (5_000, "5"))


def test_what_has_no_price_is_not_free() -> None:
    assert cost_usd("gpt-5.5-pro", input_tokens=1_000, cached_tokens=600) is None
    assert cost_usd("gpt-5.4", input_tokens=1_000, cache_write_tokens=600) is None


def test_a_count_of_nothing_beside_its_parts_is_a_contradiction() -> None:
    parts = {"cache_write_tokens": 0, "cache_write_tokens_details": {"ttl_30m_tokens": 500}}
    with pytest.raises(UsageInvalid):
        usage_from({"input_tokens": 900, "output_tokens": 1, "input_tokens_details": parts})


def test_more_cached_than_read_is_a_contradiction_and_no_negative_cost() -> None:
    for cached, written in ((120, 0), (60, 60)):
        with pytest.raises(UsageInvalid):
            Usage(
                input_tokens=100,
                output_tokens=0,
                cached_tokens=cached,
                cache_write_tokens=written,
            )


def test_cached_images_are_not_paid_again_as_images() -> None:
    card = price(
        images={"m": Rates(input=5, cached=1, image=8, image_cached=2, output=9, image_output=30)}
    )
    use = Usage(
        input_tokens=1600,
        cached_tokens=1024,
        output_tokens=1056,
        modalities=Modalities(image=1400, image_cached=1024, image_output=1056),
    )
    drawn = ToolUse(images=ImageUse(models=("m",), usage=use))
    cost = card.cost(
        usage=Usage(input_tokens=0, output_tokens=0), tools=drawn, service_tier="default"
    )
    assert cost.cost_pusd == 200 * 5 + (1400 - 1024) * 8 + 1024 * 2 + 1056 * 30


@pytest.mark.parametrize(
    ("model", "tier", "prices"),
    [
        ("gpt-5-mini", "flex", ("0.125", "1")),
        ("gpt-5-mini", "priority", ("0.45", "3.6")),
        ("gpt-5-mini-2025-08-07", "priority", ("0.45", "3.6")),
        ("gpt-5-mini", "fast", ("0.45", "3.6")),
        ("gpt-6-astra", "ultrafast", ("60", "300")),
        ("gpt-5.5", "batch", ("2.5", "15")),
    ],
)
def test_the_tier_that_served_is_paid_and_thought_is_output_at_its_price(
    model: str, tier: str, prices: tuple[str, str]
) -> None:
    cost = cost_usd(model, tier, input_tokens=700, output_tokens=900, reasoning_tokens=800)
    assert cost == usd((700, prices[0]), (900, prices[1]))


@pytest.mark.parametrize(
    ("model", "tier", "read", "prices"),
    [
        ("gpt-5.5", "default", 272_000, ("5", "30")),
        ("gpt-5.5", "default", 272_001, ("10", "45")),
        ("gpt-5.5", "flex", 300_000, ("5", "22.5")),
        ("gpt-5.4", "default", 250_000, ("2.5", "15")),  # 200,000 is no step
        ("gpt-6-sol", "priority", 300_000, ("8", "30")),
    ],
)
def test_above_the_threshold_and_not_at_it_all_of_a_request_is_dearer(
    model: str, tier: str, read: int, prices: tuple[str, str]
) -> None:
    cost = cost_usd(model, tier, input_tokens=read, output_tokens=1_000)
    assert cost == usd((read, prices[0]), (1_000, prices[1]))


def searched(count: int, *, billed: int | None = None, kind: str = "web_search") -> ToolUse:
    usage: dict[str, Any] = {} if billed is None else {"web_search": {"num_requests": billed}}
    items = {Item("web_search_call", "completed", action_type="search"): count} if count else {}
    return tool_use_from(usage, items, (Tool(kind),))


def test_a_search_that_was_only_declared_costs_nothing_and_each_that_was_made_its_fee() -> None:
    assert cost_usd("gpt-5", tools=searched(0)) == 0
    assert cost_usd("gpt-5", tools=searched(3)) == Decimal("0.03")
    assert cost_usd("gpt-4.1", tools=searched(3, kind="web_search_preview")) == Decimal("0.075")


def test_what_the_upstream_bills_is_counted_and_not_its_queries() -> None:
    assert cost_usd("gpt-5", tools=searched(7, billed=4)) == Decimal("0.04")


def test_fees_of_two_tools_are_both_owed() -> None:
    both = ToolUse(web_searches=1, items={"file_search_call": 2})
    assert cost_usd("gpt-5", tools=both) == Decimal("0.015")


def test_a_fraction_of_a_micro_dollar_is_not_lost() -> None:
    cost = cost_usd("gpt-5-nano", "flex", input_tokens=1, cached_tokens=1)
    assert cost == Decimal("0.0000000025")
