"""What each lever would have changed, to the picodollar, by hand."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.advice import Advice, Assumed, Lever, Served, next_cheaper
from gateway.core.cost import CostLine
from gateway.core.prices import ModelPrice, Rates, TierRates
from gateway.core.tool_use import NO_TOOLS, ToolUse
from gateway.core.usage import Usage
from tests.builders import price


def tier(unit: int, **fields: int | None) -> TierRates:
    """Input at this price, cached a tenth, output five times."""
    given: dict[str, Any] = {
        "input": unit, "cached": unit // 10, "cache_write": unit, "cache_write_12h": unit,
        "output": 5 * unit, **fields,
    }  # fmt: skip
    return TierRates(short=Rates(**given), long=None)


CARD = price(
    name="gpt-6-sol",
    tiers={"default": tier(100), "flex": tier(50), "batch": tier(40)},
    tool_fees_pusd={"web_search": 7_000},
)
CHEAP = price(name="gpt-6-luna", tiers={"default": tier(10), "flex": tier(9)})


def served(
    usage: Usage | None = None, *, card: ModelPrice = CARD, searches: int = 0, **fields: Any
) -> Served:
    usage = usage or Usage(input_tokens=2_000, output_tokens=100)
    given = {"service_tier": None, "max_output_tokens": None, "is_stream": False, **fields}
    cost = card.cost(
        usage=usage, tools=ToolUse(web_searches=searches), service_tier=given["service_tier"]
    )
    assert cost.cost_pusd is not None
    return Served(price=card, lines=cost.lines, **given)


def levers(*requests: Served, **assumed: int) -> dict[str, Lever]:
    return {one.name: one for one in advice(*requests, **assumed).levers()}


def advice(*requests: Served, **assumed: int) -> Advice:
    found = Advice(cheaper={"gpt-6-sol": CHEAP}, assumed=Assumed(**assumed))
    for one in requests:
        found.add(one)
    return found


def told(lever: Lever) -> tuple[int, int]:
    return lever.requests, lever.saved_pusd


def test_caching_moves_plain_input_to_the_cache() -> None:
    found = advice(
        served(Usage(input_tokens=2_000, output_tokens=0, cached_tokens=600)),
        served(Usage(input_tokens=2_000, output_tokens=0, cache_write_tokens=1_900)),
        served(Usage(input_tokens=2_000, output_tokens=0, cached_tokens=1_900)),
        served(Usage(input_tokens=1_024, output_tokens=0)),
    )
    assert told(found.levers()[0]) == (2, (1_000 + 100) * 90)
    assert (found.cached_tokens, found.cacheable_tokens) == (2_500, 6_000)
    assert told(levers(served(), cached_percent=50)["prompt caching"]) == (1, 1_000 * 90)


def test_what_has_no_cache_cannot_be_cached() -> None:
    card = replace(CARD, tiers={"default": tier(100, cached=None)})
    assert told(levers(served(card=card))["prompt caching"]) == (0, 0)


def test_a_limit_cuts_the_longest_outputs() -> None:
    requests = [
        served(Usage(input_tokens=1, output_tokens=tokens)) for tokens in (*range(1, 20), 1_000)
    ]
    limited = served(Usage(input_tokens=1, output_tokens=50), max_output_tokens=200)
    found = advice(*requests, limited, served(Usage(input_tokens=1, output_tokens=0)))
    assert told(found.levers()[1]) == (1, (1_000 - 19) * 500)
    assert found.limits == {"gpt-6-sol": 19}
    assert (found.limited, found.limited_output_tokens, found.limit_tokens) == (1, 50, 200)
    assert told(levers(*requests, output_percentile=100)["output limit"]) == (0, 0)


def test_another_model_for_the_same_tokens() -> None:
    found = advice(served(searches=2), served(card=CHEAP))
    assert told(found.levers()[2]) == (1, 2_000 * 90 + 100 * 450)
    assert found.replaced == {"gpt-6-sol": "gpt-6-luna"}
    assert told(levers(served(service_tier="flex"))["cheaper model"]) == (1, 2_000 * 41 + 100 * 205)
    assert told(levers(served(service_tier="batch"))["cheaper model"]) == (
        1,
        2_000 * 30 + 100 * 150,
    )


def test_what_another_model_has_no_price_of_is_left_out() -> None:
    cached = Usage(input_tokens=2_000, output_tokens=1, cached_tokens=5)
    uncacheable = replace(CHEAP, tiers={"default": tier(10, cached=None)})
    found = Advice(cheaper={"gpt-6-sol": uncacheable}, assumed=Assumed())
    found.add(served(cached))
    assert (told(found.levers()[2]), found.replaced) == ((0, 0), {})


def test_what_can_wait_is_what_was_not_streamed_and_did_not_wait() -> None:
    found = levers(
        served(searches=1),
        served(is_stream=True),
        served(service_tier="flex"),
        served(card=CHEAP),
    )
    assert told(found["flex tier"]) == (2, 2_000 * 51 + 100 * 255)
    assert told(found["batch tier"]) == (1, 2_000 * 60 + 100 * 300)


def test_each_says_what_it_assumes() -> None:
    found = advice(served(searches=1))
    assert found.cost_pusd == 2_000 * 100 + 100 * 500 + 7_000
    assert all(lever.assumption for lever in found.levers())
    assert "70 %" in levers(cached_percent=70)["prompt caching"].assumption
    assert "90th" in levers(output_percentile=90)["output limit"].assumption


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    parts = [draw(st.integers(0, 5_000)) for _ in range(6)]
    plain, cached, written, written_12h, output, reasoning = parts
    return Usage(
        input_tokens=plain + cached + written + written_12h,
        cached_tokens=cached,
        cache_write_tokens=written + written_12h,
        cache_write_12h_tokens=written_12h,
        output_tokens=output + reasoning,
        reasoning_tokens=reasoning,
    )


@given(usages())
def test_usage_is_what_the_lines_were_made_of(usage: Usage) -> None:
    one = served(usage, searches=3)
    assert one.usage == usage
    cost = CARD.cost(usage=usage, tools=NO_TOOLS, service_tier=None)
    assert one.tokens_pusd == cost.cost_pusd == one.cost_pusd - 21_000


@given(st.lists(usages(), max_size=5))
def test_no_lever_saves_more_than_there_was(used: list[Usage]) -> None:
    found = advice(*map(served, used))
    for lever in found.levers():
        assert 0 <= lever.saved_pusd <= found.cost_pusd
        assert lever.requests <= found.requests == len(used)


def test_lines_of_what_has_no_text_are_fees() -> None:
    line = CostLine(meter="input_audio", quantity=10, unit_price_pusd=7, cost_pusd=70)
    one = Served(
        price=CARD, lines=(line,), service_tier=None, max_output_tokens=None, is_stream=False
    )
    assert (one.usage.input_tokens, one.tokens_pusd, one.cost_pusd) == (0, 0, 70)
    assert told(levers(one)["output limit"]) == (0, 0)


def card(name: str, unit: int, **fields: int | None) -> ModelPrice:
    return price(name=name, tiers={"default": tier(unit, **fields)})


FAMILY = [
    card("gpt-6-astra", 50),
    card("gpt-6-sol", 20),
    card("gpt-6-luna", 1),
    card("gpt-6.1-sol", 20),
    card("gpt-6.1-terra", 5),
    card("gpt-5", 9),
    card("gpt-60-sol", 2),
    card("gpt-6-odd", 1, output=1_000),
    card("gpt-6-embedding", 1, output=None),
    card("gpt-4o", 8),
    card("gpt-4o-mini", 2),
    card("gpt-4", 7),
    card("o3", 8),
    card("o4-mini", 4),
]


@pytest.mark.parametrize(
    ("name", "cheaper"),
    [
        ("gpt-6-astra", "gpt-6-sol"),
        ("gpt-6-sol", "gpt-6-luna"),
        ("gpt-6.1-sol", "gpt-6.1-terra"),
        ("gpt-6.1-terra", "gpt-6-luna"),
        ("gpt-6-luna", None),
        ("gpt-5", None),
        ("o3", None),
        ("gpt-4o", "gpt-4o-mini"),
    ],
)
def test_the_next_cheaper_relative(name: str, cheaper: str | None) -> None:
    (this,) = (one for one in FAMILY if one.name == name)
    found = next_cheaper(this, FAMILY)
    assert (found and found.name) == cheaper
    assert next_cheaper(card("-", 100), FAMILY) is None
