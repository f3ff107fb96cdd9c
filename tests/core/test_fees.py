"""A fee for each kind of work, by the tool that did it; without a price where there is none."""

import pytest

from gateway.core.fees import fee_of_search, fees
from gateway.core.tool_use import ImageUse, ToolUse

PRICES = {"web_search": 10, "web_search_preview": 25, "file_search": 3, "container_1g": 7}
ALIKE = PRICES | {"web_search_preview": 10}


@pytest.mark.parametrize(
    ("tool", "fee"),
    [
        ("web_search", "web_search"),
        ("web_search_2025_08_26", "web_search"),
        ("web_search_preview", "web_search_preview"),
        ("web_search_preview_2025_03_11", "web_search_preview"),
    ],
)
def test_a_search_costs_what_its_tool_costs(tool: str, fee: str) -> None:
    used = ToolUse(web_searches=2, search_tools=frozenset({tool}))
    assert list(fees(PRICES, used)) == [(fee, 2, PRICES[fee])]
    assert fee_of_search(tool) == fee


def test_a_search_whose_tool_is_not_told_has_a_fee_only_where_all_have_the_same() -> None:
    used = ToolUse(web_searches=1)
    both = ToolUse(web_searches=1, search_tools=frozenset({"web_search", "web_search_preview"}))
    for one in (used, both):
        assert list(fees(PRICES, one)) == [("web_search", 1, None)]
        assert list(fees(ALIKE, one)) == [("web_search", 1, 10)]
    assert list(fees({"web_search": 4}, used)) == [("web_search", 1, 4)]
    assert list(fees({}, used)) == [("web_search", 1, None)]


def test_a_container_is_paid_for_five_minutes_at_least() -> None:
    used = ToolUse(items={"code_interpreter_call": 3}, containers={"1g": 2, "4g": 1, "9g": 1})
    assert list(fees(PRICES, used)) == [
        ("container_1g_minutes", 10, 7),
        ("container_4g_minutes", 5, None),
        ("container_unknown_minutes", 5, None),
    ]


def test_a_drawing_has_a_price_by_its_tokens_or_none() -> None:
    items = {"image_generation_call": 1}
    told = ToolUse(items=items, images=ImageUse(models=(), usage=None))
    assert list(fees(PRICES, ToolUse(items=items))) == [("image_generation_call", 1, None)]
    assert list(fees(PRICES, told)) == []


def test_what_is_not_known_has_no_price() -> None:
    used = ToolUse(items={"message": 4, "x_call_output": 1, "x_call": 2, "file_search_call": 1})
    assert list(fees(PRICES, used)) == [("x_call", 2, None), ("file_search", 1, 3)]
