"""What keeps a request from having a bound, told with the field that gives it one."""

import json
from typing import Any

import pytest

from gateway.core.request import ResponseRequest
from gateway.core.unbounded import (
    NAME_CHARACTERS_SHOWN,
    dearest_fee_pusd,
    tools_that_loop,
    unbounded_by,
    unpriced,
)
from tests.builders import price

CARD = price(tool_fees_pusd={"web_search": 10, "web_search_preview": 10, "file_search": 20})
SEARCH = {"type": "web_search"}


def asked(**fields: Any) -> ResponseRequest:
    return ResponseRequest.parse(json.dumps({"model": "gpt-test", **fields}).encode())


def told(**fields: Any) -> list[str]:
    return [found.field for found in unbounded_by(asked(**fields), CARD)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"input": "text", "tools": [{"type": "function"}], "max_output_tokens": 5},
        {"previous_response_id": "resp_1", "conversation": "conv_1"},
        {"prompt": None, "context_management": None, "reasoning": None},
        {"reasoning": {"effort": "max", "summary": "auto", "mode": "standard"}},
        {"reasoning": {"mode": None}},
        {"tools": [SEARCH], "max_tool_calls": 3},
        {"tools": [{"type": "web_search_preview_2025_03_11"}], "max_tool_calls": 0},
        {"tools": [{"type": "computer"}, {"type": "apply_patch"}]},
    ],
    ids=str,
)
def test_most_requests_have_a_bound(fields: dict[str, Any]) -> None:
    assert told(**fields) == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [SEARCH]}, ["max_tool_calls"]),
        ({"tools": [{"type": "mcp"}], "max_tool_calls": 3}, ["tools"]),
        ({"tools": [{"type": "image_generation"}]}, ["tools", "max_tool_calls"]),
        ({"tools": [{"type": "code_interpreter"}], "max_tool_calls": 3}, ["tools"]),
        ({"tools": [5], "max_tool_calls": 3}, ["tools"]),
        ({"prompt": {"id": "pmpt_1"}}, ["prompt"]),
        ({"context_management": []}, ["context_management"]),
        ({"reasoning": "pro"}, ["reasoning"]),
        ({"reasoning": {"mode": "pro"}}, ["reasoning.mode"]),
        ({"reasoning": {"samples": 3, "voters": 2}}, ["reasoning.samples"]),
        ({"multi_agent": {}, "n": 3}, ["multi_agent"]),
    ],
    ids=str,
)
def test_what_may_cost_anything_is_named(fields: dict[str, Any], named: list[str]) -> None:
    assert told(**fields) == named


def test_a_tool_without_a_fee_is_told_by_name() -> None:
    [found] = unbounded_by(asked(tools=[SEARCH], max_tool_calls=1), price())
    assert found.field == "tools"
    assert "'web_search' has no fee for gpt-test" in found.sentence


def test_a_tier_without_a_price_is_told_with_what_to_send() -> None:
    found = unpriced("flex", CARD)
    assert found.field == "service_tier"
    assert "'flex'" in found.sentence
    assert "'default'" in found.sentence


def test_a_name_of_the_clients_own_is_shown_short_and_plain() -> None:
    name = "\u202eé\n" + "n" * 1000
    [found] = unbounded_by(asked(**{name: 1}), CARD)
    assert found.field.startswith(r"\u202e\xe9\nnnn")
    assert found.sentence.isascii()
    assert found.sentence.isprintable()
    assert len(found.field) < 2 * NAME_CHARACTERS_SHOWN


def test_the_dearest_fee_of_the_tools_counts() -> None:
    assert dearest_fee_pusd(asked(tools=[SEARCH, {"type": "file_search"}]), CARD) == 20
    assert dearest_fee_pusd(asked(tools=[SEARCH, {"type": "mcp"}]), CARD) == 10
    assert dearest_fee_pusd(asked(tools=[{"type": "mcp"}]), CARD) == 0


def test_a_search_of_the_older_kind_has_a_fee_of_its_own() -> None:
    card = price(tool_fees_pusd={"web_search": 10, "web_search_preview": 25})
    assert dearest_fee_pusd(asked(tools=[{"type": "web_search_preview"}]), card) == 25
    assert dearest_fee_pusd(asked(tools=[SEARCH]), card) == 10


def test_a_call_may_begin_a_container_of_the_size_that_its_tool_says() -> None:
    card = price(tool_fees_pusd={"container_1g": 3, "container_4g": 12})
    small, large, old, odd = (
        {"type": "code_interpreter", "container": container}
        for container in ({}, {"memory_limit": "4g"}, "cntr_1", {"memory_limit": "5g"})
    )
    assert dearest_fee_pusd(asked(tools=[small]), card) == 20 * 3
    assert dearest_fee_pusd(asked(tools=[small, large]), card) == 20 * 12
    for unknown in (old, odd):
        [found] = unbounded_by(asked(tools=[small, unknown], max_tool_calls=1), card)
        assert found.field == "tools"


def test_tools_that_end_a_response_do_not_loop() -> None:
    tools = [{"type": "local_shell"}, SEARCH, {"type": "function"}]
    assert tools_that_loop(asked(tools=tools)) == ("web_search",)
