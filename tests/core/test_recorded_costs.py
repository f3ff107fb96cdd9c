"""Every recorded usage of a priced model costs what the decimals here say, and another catalogue.

Not by the code: the prices stand here once more as they are published, and the sums are made of
them and of the recording's own JSON. Run with `-s` to see how many have no price, and why.
"""

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as OtherUsage
from genai_prices import calc_price

from gateway.adapters.pricefile import load_prices
from gateway.core.observer import observer_for
from gateway.core.prices import snapshot_of
from gateway.core.settlement import Settlement, settlement
from tests.builders import hold
from tests.recordings import Row, index_rows

pytestmark = pytest.mark.needs_recordings
BOOK = load_prices()
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
ENDPOINTS = {"responses": "responses", "chat": "chat.completions", "embeddings": "embeddings"}
# USD for a million tokens of input, cached input and output.
PRICES = {
    "computer-use-preview": "3 - 12",
    "gpt-3.5-turbo": "0.5 - 1.5",
    "gpt-4": "30 - 60",
    "gpt-4.1": "2 0.5 8",
    "gpt-4.1-mini": "0.4 0.1 1.6",
    "gpt-4.1-nano": "0.1 0.025 0.4",
    "gpt-4o": "2.5 1.25 10",
    "gpt-4o-mini": "0.15 0.075 0.6",
    "gpt-4o-search-preview": "2.5 - 10",
    "gpt-5": "1.25 0.125 10",
    "gpt-5-mini": "0.25 0.025 2",
    "gpt-5-nano": "0.05 0.005 0.4",
    "gpt-5.1": "1.25 0.125 10",
    "gpt-5.1-codex-max": "1.25 0.125 10",
    "gpt-5.2": "1.75 0.175 14",
    "gpt-5.3-codex": "1.75 0.175 14",
    "gpt-5.4": "2.5 0.25 15",
    "gpt-5.5": "5 0.5 30",
    "gpt-5.6-sol": "4 0.4 20",
    "o3-mini": "1.1 0.55 4.4",
    "o4-mini": "1.1 0.275 4.4",
    "text-embedding-3-small": "0.02 - -",
    "text-embedding-ada-002": "0.1 - -",
}
OTHER_TIERS = {("gpt-5", "flex"): "0.625 0.0625 5"}
NAMES = {
    "gpt-4-0613": "gpt-4",
    "gpt-3.5-turbo-0125": "gpt-3.5-turbo",
    "text-embedding-ada-002-v2": "text-embedding-ada-002",
}
SEARCH, OLD_SEARCH, FILES, CONTAINER = map(Decimal, ("0.01", "0.025", "0.0025", "0.0075"))
REASONING = ("gpt-5", "o3", "o4", "computer")
NOT_TOLD = {"image_generation_call", "shell_call", "x_search_call", "tool_search_call"}


def settled(row: Row) -> Settlement:
    observer = observer_for(
        status=200,
        content_type="text/event-stream" if row.is_stream else "application/json",
        content_encoding="",
        endpoint=ENDPOINTS[row.api],
    )
    observer.feed(row.read())
    card = BOOK.find(row.model, NOW_US)
    placed = hold(model=row.model, created_at_us=NOW_US, price=card)
    return settlement(placed, observer.end(is_clean=True), status=200, book=BOOK)


def response_in(row: Row) -> dict[str, Any]:
    """What a recording says of itself at its end, the plain way."""
    if row.api != "responses":
        return {}
    text = row.read().decode()
    if not row.is_stream:
        return dict(json.loads(text))
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
    events = [json.loads(line) for line in lines if line.strip().startswith("{")]
    return dict([event["response"] for event in events if event.get("response")][-1])


def fees_usd(model: str, response: dict[str, Any]) -> Decimal | None:
    """What the tools of a response cost; None where nobody can tell."""
    items = response.get("output") or []
    if NOT_TOLD & {item["type"] for item in items}:
        return None
    told = (response.get("tool_usage") or {}).get("web_search") or {}
    looked = [
        item
        for item in items
        if item["type"] == "web_search_call" and (item.get("action") or {})["type"] == "search"
    ]
    kinds = {tool["type"] for tool in response.get("tools") or []}
    is_old = "web_search_preview" in kinds and not model.startswith(REASONING)
    searches = Decimal(told.get("num_requests", len(looked))) * (OLD_SEARCH if is_old else SEARCH)
    ran = {item["container_id"] for item in items if item["type"] == "code_interpreter_call"}
    tools = [tool for tool in response.get("tools") or [] if tool["type"] == "code_interpreter"]
    if ran and not all(isinstance(tool["container"], dict) for tool in tools):
        return None
    files = sum(item["type"] == "file_search_call" for item in items)
    always = OLD_SEARCH if "search-preview" in model else Decimal(0)
    owed: Decimal = searches + files * FILES + len(ran) * CONTAINER + always
    return owed


def counts(usage: dict[str, Any]) -> tuple[int, int, int]:
    """Uncached and cached input, and output."""
    read: int = usage["input_tokens" if "input_tokens" in usage else "prompt_tokens"]
    given = usage.get("input_tokens_details") or usage.get("prompt_tokens_details") or {}
    cached = given.get("cached_tokens") or 0
    return read - cached, cached, usage.get("output_tokens", usage.get("completion_tokens", 0))


def tokens_usd(model: str, tier: str, usage: dict[str, Any]) -> Decimal:
    prices = OTHER_TIERS.get((model, tier), PRICES[model]).split()
    return sum(
        (
            count * Decimal(price) / 10**6
            for count, price in zip(counts(usage), prices, strict=True)
            if count
        ),
        Decimal(0),
    )


def others_usd(model: str, tier: str, usage: dict[str, Any]) -> Decimal | None:
    """What the catalogue makes of the tokens; None where it does not have the model."""
    uncached, cached, written = counts(usage)
    used = OtherUsage(
        input_tokens=uncached + cached, cache_read_tokens=cached, output_tokens=written
    )
    context = {"service_tier": tier} if tier in {"flex", "priority"} else None
    try:
        return calc_price(
            used, model, provider_id="openai", genai_request_timestamp=NOW, price_context=context
        ).total_price
    except LookupError:
        return None


def test_every_recorded_usage_costs_what_the_decimals_and_the_catalogue_say() -> None:
    found: Counter[str] = Counter()
    for row in (row for api in ENDPOINTS for row in index_rows(api=api)):
        result = settled(row)
        if result.basis != "reported" or row.usage is None:
            found["no usage, or none that can be"] += 1
            continue
        model = NAMES.get(row.model, snapshot_of(row.model))
        if model not in PRICES:
            assert BOOK.find(row.model, NOW_US) is None, row.model
            assert (result.cost_pusd, result.problem) == (None, "model_unpriced"), row.file
            found["no price: the model is not in the book"] += 1
            continue
        tokens, fees = (
            tokens_usd(model, row.service_tier, row.usage),
            fees_usd(model, response_in(row)),
        )
        lines = Decimal(
            sum(
                line.cost_pusd
                for line in result.lines
                if line.meter.startswith(("input", "output"))
            )
        ).scaleb(-12)
        assert lines == tokens, row.file
        if fees is None:
            assert (result.cost_pusd, result.problem) == (None, "meter_unpriced"), row.file
            found["no price: a tool's work is not told"] += 1
        else:
            assert result.cost_pusd is not None, (row.file, result.problem)
            assert Decimal(result.cost_pusd).scaleb(-12) == tokens + fees, row.file
            found["priced"] += 1
        other = others_usd(model, row.service_tier, row.usage)
        assert other in (None, tokens), row.file
        found["as the catalogue says" if other is not None else "not in the catalogue"] += 1
    print("\n" + "\n".join(f"{count:4} {what}" for what, count in sorted(found.items())))
    assert found["priced"] > 350
    assert found["as the catalogue says"] > 350
