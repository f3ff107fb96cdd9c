"""The worked cases kept outside the project: each exact by the path of a response, or refused."""

import datetime as dt
import json
from functools import cache
from typing import Any

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.exchange import BACKGROUND_TAG
from gateway.core.facts import facts_from, skim
from gateway.core.observation import observe_body
from gateway.core.price_book import PriceBook
from gateway.core.region import region_of
from gateway.core.request import ResponseRequest
from gateway.core.settlement import Settlement, settlement
from tests.builders import hold
from tests.recordings import shared_json

PROBLEMS = {
    "unpriced": "model_unpriced",
    "unpriced_tier": "tier_unpriced",
    "usage_missing": "usage_missing",
    "anomaly": "usage_invalid",
}


@cache
def book(region: str | None) -> PriceBook:
    return load_prices(region=region)


def settled(case: dict[str, Any]) -> Settlement:
    """What a worked case comes to: read, held and settled like any response."""
    request = ResponseRequest.parse(json.dumps({"input": "x", **case["request"]}).encode())
    prices = book(region_of(case["upstream_host"]))
    at_us = int(dt.datetime.fromisoformat(case["as_of"]).timestamp()) * 1_000_000
    placed = hold(
        model=request.model,
        created_at_us=at_us,
        price=prices.find(request.model, at_us, window=request.window),
        tags={} if request.window is None else {BACKGROUND_TAG: request.window},
    )
    body = json.dumps({"id": "resp_1", "object": "response", **case["response"]}).encode()
    found = skim(body, is_event=False)
    assert found is not None
    seen = observe_body(facts_from(found, is_event=False))
    return settlement(placed, seen, status=200, book=prices)


@pytest.mark.needs_recordings
def test_prices_the_worked_cases_exactly() -> None:
    cases = shared_json("price_oracle.json")["examples"]
    assert cases
    for case in cases:
        expected, result = case["expect"], settled(case)
        if expected["result"] == "priced":
            assert (result.cost_pusd, result.problem) == (expected["pico_usd"], None), case["id"]
        else:
            known = PROBLEMS.get(expected["result"], result.problem)
            assert result.problem == known is not None, case["id"]
            assert result.cost_pusd is None or result.basis == "worst_case", case["id"]
