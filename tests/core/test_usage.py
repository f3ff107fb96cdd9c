"""Counts as reported: what is a count, what contradicts itself, and what hosted tools did."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.usage import COUNT_MAX, Usage, UsageInvalid, tool_use_from, usage_from

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
COUNTS = st.integers(0, 1000) | JSON


def reported(**more: Any) -> dict[str, Any]:
    return {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, **more}


def test_every_count_is_read_and_unknown_fields_are_ignored() -> None:
    usage = usage_from(
        reported(
            input_tokens_details={
                "cached_tokens": 40,
                "cache_write_tokens": 30,
                "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10},
                "audio_tokens": "?",
            },
            output_tokens_details={"reasoning_tokens": 15},
            cost=0.5,
        )
    )
    assert usage == Usage(
        input_tokens=100,
        output_tokens=20,
        cached_tokens=40,
        cache_write_tokens=30,
        cache_write_12h_tokens=10,
        reasoning_tokens=15,
    )


def test_what_is_missing_or_null_is_zero_but_the_two_totals() -> None:
    plain = Usage(input_tokens=100, output_tokens=20)
    assert usage_from({"input_tokens": 100, "output_tokens": 20}) == plain
    nulls = {"input_tokens_details": None, "output_tokens_details": {"reasoning_tokens": None}}
    assert usage_from(reported(**nulls)) == plain
    assert usage_from(None) is None
    for name in ("input_tokens", "output_tokens"):
        with pytest.raises(UsageInvalid, match="missing"):
            usage_from({**reported(), name: None})


@pytest.mark.parametrize("count", [True, 1.0, "1", -1, COUNT_MAX + 1, [], {}])
def test_only_whole_numbers_are_counts(count: object) -> None:
    for broken in (
        reported(input_tokens=count),
        reported(total_tokens=count),
        reported(output_tokens_details={"reasoning_tokens": count}),
    ):
        with pytest.raises(UsageInvalid):
            usage_from(broken)


@pytest.mark.parametrize(
    "broken",
    [
        reported(total_tokens=121),
        reported(input_tokens_details={"cached_tokens": 60, "cache_write_tokens": 41}),
        reported(output_tokens_details={"reasoning_tokens": 21}),
        reported(input_tokens_details={"cache_write_tokens_details": {"ttl_12h_tokens": 1}}),
        reported(input_tokens_details=[]),
        "much",
        [],
    ],
)
def test_counts_that_contradict_each_other_are_told_never_mended(broken: object) -> None:
    with pytest.raises(UsageInvalid):
        usage_from(broken)


def test_a_negative_count_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(UsageInvalid, match="negative"):
        Usage(input_tokens=-1, output_tokens=0)


@settings(deadline=None)
@given(JSON | st.dictionaries(st.sampled_from([*reported(), "input_tokens_details"]), COUNTS))
def test_any_shape_is_a_usage_or_invalid(value: object) -> None:
    try:
        usage = usage_from(value)
    except UsageInvalid:
        return
    assert usage is None or usage.input_tokens >= usage.cached_tokens + usage.cache_write_tokens
    tool_use_from(value, {})


def test_billed_searches_win_over_counted_ones() -> None:
    items = {
        ("web_search_call", "search"): 2,
        ("web_search_call", "open_page"): 4,
        ("web_search_call", ""): 1,
        ("", ""): 1,
    }
    assert tool_use_from({"web_search": {"num_requests": 0}}, items).web_searches == 0
    unread: list[object] = [None, {}, {"web_search": None}, {"web_search": []}, "x"]
    for absent in unread:
        assert tool_use_from(absent, items).web_searches == 3
    assert tool_use_from(None, items).items == {"web_search_call": 7}


def test_image_generation_is_seen_and_what_cannot_be_read_is_not_taken_for_none() -> None:
    def has_images(image: object) -> bool:
        return tool_use_from({"image_gen": image}, {}).has_image_generation

    assert not has_images(None)
    assert not has_images({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0})
    assert has_images({"output_tokens": 5})
    assert has_images({"total_tokens": "5"})
