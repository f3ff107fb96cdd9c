"""Counting: deterministic, plausible, and as odd as a directive wants it."""

import pytest

from gateway.simulator.directive import DirectiveInvalid
from gateway.simulator.usage import (
    CACHE_ENTRIES_MAX,
    PrefixCache,
    cache_writes,
    input_tokens_of,
    overridden,
    tool_usage_object,
    usage_object,
)

COUNTED = usage_object(input_tokens=10, output_tokens=4)


def test_input_counts_a_quarter_of_its_bytes() -> None:
    assert input_tokens_of({"input": "x" * 398}) == 100
    assert input_tokens_of({"input": "x" * 398, "instructions": "y" * 398}) == 200
    assert input_tokens_of({}) == 1


def test_a_prefix_seen_before_is_cached_in_blocks() -> None:
    cache = PrefixCache()
    body = {"model": "m", "prompt_cache_key": "k"}
    assert cache.read(body, 2000) == 0
    assert cache.read(body, 2500) == 1920
    assert cache.read(body, 2500) == 2432
    assert cache.read({**body, "model": "other"}, 2500) == 0
    assert cache.read({**body, "prompt_cache_key": None}, 2500) == 0
    assert cache.read(body, 1000) == 0


def test_the_cache_is_bounded() -> None:
    cache = PrefixCache()
    for number in range(CACHE_ENTRIES_MAX + 1):
        cache.read({"instructions": str(number)}, 2000)
    assert cache.read({"instructions": "0"}, 2000) == 0
    assert cache.read({"instructions": str(CACHE_ENTRIES_MAX)}, 2000) > 0


@pytest.mark.parametrize(
    ("model", "writes"),
    [("gpt-5.6", 1024), ("gpt-6-sol", 1024), ("gpt-5.4", 0), ("gpt-5", 0), ("o3", 0)],
)
def test_newer_models_report_what_they_write(model: str, writes: int) -> None:
    assert cache_writes(model, 2100, 1024) == writes
    assert cache_writes(model, 100, 0) == 0


def test_parts_never_exceed_the_whole() -> None:
    for tokens in range(0, 5000, 77):
        cached = tokens // 2 // 128 * 128
        assert cached + cache_writes("gpt-6", tokens, cached) <= tokens or tokens < 1024


def test_usage_is_overridden() -> None:
    assert overridden("", COUNTED) is COUNTED
    assert overridden("null", COUNTED) is None
    assert overridden("zero", COUNTED) == usage_object(input_tokens=0, output_tokens=0)
    assert overridden("wrong:list", COUNTED) == [12, 7, 19]
    assert overridden("out:9", COUNTED) == usage_object(input_tokens=10, output_tokens=9)
    assert overridden("in:1200,cached:1024,write:8,out:300,reasoning:100", COUNTED) == {
        "input_tokens": 1200,
        "input_tokens_details": {"cache_write_tokens": 8, "cached_tokens": 1024},
        "output_tokens": 300,
        "output_tokens_details": {"reasoning_tokens": 100},
        "total_tokens": 1500,
    }


@pytest.mark.parametrize("word", ["in", "in:many", "size:4", "wrong:colour"])
def test_an_override_that_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(DirectiveInvalid):
        overridden(word, COUNTED)


def test_searches_are_tool_usage() -> None:
    assert tool_usage_object(3)["web_search"] == {"num_requests": 3}
