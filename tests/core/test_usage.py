"""Counts as reported: what is a count, what contradicts itself, and what hosted tools did."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.tool_use import tool_use_from
from gateway.core.usage import COUNT_MAX, TEXT_ONLY, Modalities, Usage, UsageInvalid, usage_from

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
                "sounds": "?",
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
        reported(
            input_tokens_details={
                "cache_write_tokens": 9,
                "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 3},
            }
        ),
        reported(input_tokens_details={"audio_tokens": 60, "image_tokens": 41}),
        reported(input_tokens_details={"audio_tokens": "?"}),
        reported(
            input_tokens_details={
                "cached_tokens": 9,
                "audio_tokens": 4,
                "cached_tokens_details": {"audio_tokens": 5},
            }
        ),
        reported(
            input_tokens_details={
                "cached_tokens": 9,
                "audio_tokens": 9,
                "image_tokens": 9,
                "cached_tokens_details": {"audio_tokens": 5, "image_tokens": 5},
            }
        ),
        reported(output_tokens_details={"reasoning_tokens": 11, "audio_tokens": 10}),
        reported(input_tokens_details=[]),
        "much",
        [],
    ],
)
def test_counts_that_contradict_each_other_are_told_never_mended(broken: object) -> None:
    with pytest.raises(UsageInvalid):
        usage_from(broken)


def test_sound_and_images_are_told_apart() -> None:
    usage = usage_from(
        reported(
            input_tokens_details={
                "cached_tokens": 50,
                "audio_tokens": 30,
                "image_tokens": 20,
                "cached_tokens_details": {"audio_tokens": 10, "image_tokens": 15},
            },
            output_tokens_details={"audio_tokens": 12, "image_tokens": 3},
        )
    )
    assert usage is not None
    assert usage.modalities == Modalities(
        audio=30, audio_cached=10, audio_output=12, image=20, image_cached=15, image_output=3
    )
    zeros = usage_from(reported(input_tokens_details={"audio_tokens": 0}))
    assert zeros is not None
    assert zeros.modalities is TEXT_ONLY


def test_a_negative_count_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(UsageInvalid, match="negative"):
        Usage(input_tokens=-1, output_tokens=0)
    with pytest.raises(UsageInvalid, match="negative"):
        Usage(input_tokens=1, output_tokens=0, modalities=Modalities(audio=-1))


@settings(deadline=None)
@given(JSON | st.dictionaries(st.sampled_from([*reported(), "input_tokens_details"]), COUNTS))
def test_any_shape_is_a_usage_or_invalid(value: object) -> None:
    try:
        usage = usage_from(value)
    except UsageInvalid:
        return
    assert usage is None or usage.input_tokens >= usage.cached_tokens + usage.cache_write_tokens
    tool_use_from(value, {}, ())
