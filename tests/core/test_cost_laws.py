"""The laws of cost: the sum of its lines, greater with every count, never negative."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.core.prices import ModelPrice
from gateway.core.tool_use import NO_TOOLS, ImageUse, ToolUse
from gateway.core.usage import TEXT_ONLY, Modalities, Usage
from tests.core.test_prices import BOOK, EVERYTHING

counts = st.integers(0, 10**6)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Any usage that can be: of text, and in part of sound and images."""
    uncached, cached, written, kept, plain, thought = (draw(counts) for _ in range(6))
    heard, heard_again = draw(st.integers(0, uncached)), draw(st.integers(0, cached))
    seen = draw(st.integers(0, uncached - heard))
    seen_again = draw(st.integers(0, cached - heard_again))
    said = draw(st.integers(0, plain))
    mixed = Modalities(
        audio=heard + heard_again,
        audio_cached=heard_again,
        audio_output=said,
        image=seen + seen_again,
        image_cached=seen_again,
        image_output=draw(st.integers(0, plain - said)),
    )
    return Usage(
        input_tokens=uncached + cached + written + kept,
        cached_tokens=cached,
        cache_write_tokens=written + kept,
        cache_write_12h_tokens=kept,
        output_tokens=plain + thought,
        reasoning_tokens=thought,
        modalities=draw(st.sampled_from([TEXT_ONLY, TEXT_ONLY, mixed])),
    )


cards = st.sampled_from(
    [
        *[price for name in BOOK.names() for price in BOOK.cards[name]],
        *20 * [EVERYTHING],
    ]
)
tiers = st.sampled_from([None, "auto", "default", "flex", "priority", "fast", "ultrafast", "scale"])
images = st.none() | st.builds(
    lambda usage, models: ImageUse(models=models, usage=usage),
    st.none() | usages(),
    st.sampled_from([(), ("",), ("m",), ("m-2026-01-01",), ("new",), ("", "m")]),
)
tool_uses = st.builds(
    ToolUse,
    web_searches=st.integers(0, 50),
    search_tools=st.frozensets(st.sampled_from(["web_search", "web_search_preview"])),
    items=st.dictionaries(
        st.sampled_from(["message", "file_search_call", "image_generation_call", "new_call"]),
        counts,
    ),
    containers=st.dictionaries(st.sampled_from(["1g", "64g", ""]), st.integers(1, 9)),
    images=images,
)


@given(cards, usages(), tool_uses, tiers)
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


def plus(used: Usage, **more: int) -> Usage:
    """With more of some counts; those of modalities by their own names."""
    inner = {name: count for name, count in more.items() if name in Modalities.__slots__}
    outer = {name: count for name, count in more.items() if name not in inner}
    part = used.modalities
    return structs.replace(
        used,
        **{name: getattr(used, name) + count for name, count in outer.items()},
        modalities=replace(part, **{name: getattr(part, name) + n for name, n in inner.items()})
        if inner
        else part,
    )


# What grows with one count, as it is a part of others.
GROWTHS = {
    "input": ("input_tokens",),
    "cached": ("input_tokens", "cached_tokens"),
    "written": ("input_tokens", "cache_write_tokens"),
    "kept": ("input_tokens", "cache_write_tokens", "cache_write_12h_tokens"),
    "output": ("output_tokens",),
    "thought": ("output_tokens", "reasoning_tokens"),
    "heard": ("input_tokens", "audio"),
    "heard again": ("input_tokens", "cached_tokens", "audio", "audio_cached"),
    "said": ("output_tokens", "audio_output"),
    "seen": ("input_tokens", "image"),
    "seen again": ("input_tokens", "cached_tokens", "image", "image_cached"),
    "drawn": ("output_tokens", "image_output"),
}


@given(cards, usages(), tool_uses, st.sampled_from(sorted(GROWTHS)), st.integers(1, 10**6))
def test_more_never_costs_less(
    price: ModelPrice, used: Usage, tools: ToolUse, what: str, more: int
) -> None:
    grown = plus(used, **dict.fromkeys(GROWTHS[what], more))
    less = price.cost(usage=used, tools=tools, service_tier=None).cost_pusd
    greater = price.cost(usage=grown, tools=tools, service_tier=None).cost_pusd
    assert less is None or greater is None or greater >= less >= 0


@given(usages(), tool_uses, st.sampled_from(["web_search", "file_search", "container"]))
def test_more_work_of_tools_never_costs_less(used: Usage, tools: ToolUse, what: str) -> None:
    grown = {
        "web_search": structs.replace(tools, web_searches=tools.web_searches + 1),
        "file_search": structs.replace(
            tools,
            items=tools.items | {"file_search_call": tools.items.get("file_search_call", 0) + 1},
        ),
        "container": structs.replace(
            tools, containers=tools.containers | {"4g": tools.containers.get("4g", 0) + 1}
        ),
    }[what]
    less = EVERYTHING.cost(usage=used, tools=tools, service_tier=None).cost_pusd
    greater = EVERYTHING.cost(usage=used, tools=grown, service_tier=None).cost_pusd
    assert (less is None) == (greater is None)
    assert less is None or greater is None or greater > less


@given(usages(), usages())
def test_two_usages_together_cost_what_each_costs(one: Usage, other: Usage) -> None:
    parts = {name: getattr(other.modalities, name) for name in Modalities.__slots__}
    rest = {name: getattr(other, name) for name in Usage.__struct_fields__ if name != "modalities"}
    costs = [
        EVERYTHING.cost(usage=each, tools=NO_TOOLS, service_tier=None).cost_pusd or 0
        for each in (one, other, plus(one, **rest, **parts))
    ]
    assert costs[0] + costs[1] == costs[2]
