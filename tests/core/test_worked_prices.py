"""The worked cases kept outside the project: each exact, or without a cost, never wrong."""

import datetime as dt
from typing import Any

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.usage import tool_use_from, usage_from
from tests.recordings import shared_json

BOOK = load_prices()
# Worked cases that need facts a card is not told yet: the kind of a search tool, image tokens.
NOT_YET_PRICED = {"E21": "meter_unpriced", "E23": "meter_unpriced"}
# A fine-tuned model is its operator's to price; the built-in book has none.
NOT_IN_THE_BOOK = {"N06"}


def priced(case: dict[str, Any]) -> tuple[int | None, str | None]:
    """Price a worked case by the same path as a response: reported facts to usage to cost."""
    response = case["response"]
    at = dt.datetime.fromisoformat(case["as_of"])
    price = BOOK.find(response["model"], int(at.timestamp()) * 1_000_000)
    reported = usage_from(response["usage"])
    if price is None or reported is None:
        return None, "model_unpriced" if price is None else "usage_missing"
    items: dict[tuple[str, str], int] = {}
    for item in response["output"]:
        if item["status"] == "completed":
            key = item["type"], item.get("action", {}).get("type", "")
            items[key] = items.get(key, 0) + 1
    window = case["request"].get("background_options", {}).get("completion_window")
    cost = price.cost(
        usage=reported,
        tools=tool_use_from(response.get("tool_usage"), items),
        service_tier=response["service_tier"],
        background_window=window,
    )
    return cost.cost_pusd, cost.problem


@pytest.mark.needs_recordings
def test_prices_the_worked_cases_exactly() -> None:
    cases = {case["id"]: case for case in shared_json("price_oracle.json")["examples"]}
    results = {name: priced(case) for name, case in cases.items()}

    for name, case in cases.items():
        expected = case["expect"]
        if name in NOT_YET_PRICED:
            assert results[name] == (None, NOT_YET_PRICED[name]), name
        elif name in NOT_IN_THE_BOOK:
            assert results[name] == (None, "model_unpriced"), name
        elif "background_options" in case["request"]:
            assert results[name] == (None, "window_unpriced"), name
        elif expected["result"] == "priced":
            assert results[name] == (expected["pico_usd"], None), name
        else:
            assert results[name][0] is None, name
    assert results["N01"] == (None, "model_unpriced")
    assert results["N03"] == (None, "tier_unpriced")
    assert results["N04"] == (None, "usage_missing")
