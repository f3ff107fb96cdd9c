"""No usage that the API could report for a chat completion is beyond its bound.

Drawn requests by the hundred, and every recorded one. What is drawn follows what the API does, not
what the bound assumes. Run with `-s` to see the counts.
"""

import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.pricefile import load_prices
from gateway.core.bound import BoundInput, bound
from gateway.core.chat import ChatRequest, searches
from gateway.core.chat_facts import tools_of, usage_in
from gateway.core.prices import ModelPrice
from gateway.core.usage import Usage
from tests.builders import price
from tests.core.test_bound_soundness import NOW_US, text_bytes, texts
from tests.recordings import index_rows, recordings_folder

BOOK = load_prices()
ANY_CARD = price(prompt_overhead_tokens=64)  # to bound the tokens of models without a card of ours
WRITING = [name for name in BOOK.names() if name.startswith(("gpt-3", "gpt-4", "gpt-5", "gpt-6"))]
SERVED = ("default", "flex", "priority")

parts = st.one_of(
    texts.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.test/cat.png"}}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9_000}}),
    st.just({"type": "file", "file": {"file_id": "file_1"}}),
    st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
)
messages = st.one_of(
    texts.map(lambda text: {"role": "user", "content": text}),
    st.lists(parts, max_size=2).map(lambda content: {"role": "user", "content": content}),
    texts.map(lambda text: {"role": "tool", "tool_call_id": "c", "content": text}),
)
functions = texts.map(
    lambda text: {"type": "function", "function": {"name": "f", "description": text}}
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "model": draw(st.sampled_from(WRITING)),
        "messages": draw(st.lists(messages, max_size=4)),
    }
    optional: dict[str, st.SearchStrategy[Any]] = {
        "tools": st.lists(functions, max_size=3),
        "n": st.integers(1, 4),
        draw(st.sampled_from(["max_tokens", "max_completion_tokens"])): st.integers(1, 200_000),
        "service_tier": st.sampled_from(["default", "auto", "flex", "fast"]),
        "web_search_options": st.just({}) | st.none() | st.none(),
        "modalities": st.sampled_from([["text"], ["text"], ["text", "audio"]]),
        "prediction": st.none() | st.none() | st.just({"type": "content", "content": "x"}),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(strategy)
    return fields


def read_max(fields: dict[str, Any], card: ModelPrice) -> int:
    """As much as the API may read for a body, by what it says and not by how it is written."""
    kinds = [
        part["type"]
        for message in fields["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    searching = searches(fields["model"]) or fields.get("web_search_options") is not None
    if searching or {"file", "input_audio"} & {*kinds}:
        return card.input_tokens_max
    read = text_bytes([fields["messages"], fields.get("tools", [])]) + 24
    read += 8 * len(fields["messages"]) + 40 * len(fields.get("tools", []))
    return min(read + kinds.count("image_url") * card.image_tokens_max, card.input_tokens_max)


@st.composite
def cases(draw: st.DrawFn) -> tuple[ChatRequest, ModelPrice, Usage, str]:
    fields = draw(bodies())
    card = BOOK.find(fields["model"], NOW_US)
    assert card is not None
    most = read_max(fields, card)
    limit = fields.get("max_tokens", fields.get("max_completion_tokens", 10**9))
    written = min(limit, card.output_tokens_max) * fields.get("n", 1)
    usage = Usage(
        input_tokens=draw(st.sampled_from([most, draw(st.integers(0, most))])),
        output_tokens=draw(st.sampled_from([written, draw(st.integers(0, written))])),
    )
    asked = {"fast": "priority", "flex": "flex"}.get(fields.get("service_tier", "auto"))
    anything = fields.get("service_tier") in (None, "auto")
    tiers = SERVED if anything else ("default", asked or "default")
    tier = draw(st.sampled_from([one for one in tiers if one in card.tiers]))
    request = ChatRequest.parse(json.dumps(fields, ensure_ascii=draw(st.booleans())).encode())
    return request, card, usage, tier


@pytest.mark.parametrize("requests", [300, pytest.param(50_000, marks=pytest.mark.long)])
def test_no_usage_is_beyond_the_bound(requests: int) -> None:
    found: Counter[str] = Counter()

    @settings(max_examples=requests, suppress_health_check=list(HealthCheck), database=None)
    @given(cases())
    def holds(case: tuple[ChatRequest, ModelPrice, Usage, str]) -> None:
        request, card, usage, tier = case
        worst = bound(BoundInput(request=request), card)
        found["unbounded" if worst.unbounded else "bounded"] += 1
        if worst.unbounded:
            return
        assert usage.input_tokens <= worst.input_tokens_max
        assert usage.output_tokens <= worst.output_tokens_max
        cost = card.cost(usage=usage, tools=tools_of(request.model), service_tier=tier)
        assert cost.cost_pusd is not None
        assert cost.cost_pusd <= worst.hold_pusd

    holds()
    print(f"\n{dict(found)}")
    assert found["bounded"] > 0.3 * requests


@pytest.mark.needs_recordings
def test_every_recorded_usage_is_within_its_bound() -> None:
    found: Counter[str] = Counter()
    for row in index_rows(api="chat"):
        path = recordings_folder() / re.sub(r"\.(sse|json)$", ".request.json", row.file)
        fields = json.loads(path.read_bytes())["request"] if path.exists() else None
        usage, _ = usage_in(json.dumps(row.usage).encode())
        if usage is None or not isinstance(fields, dict) or "model" not in fields:
            continue
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        request = ChatRequest.parse(body)
        card = BOOK.find(request.model, NOW_US)
        worst = bound(BoundInput(request=request), card or ANY_CARD)
        found["unbounded" if worst.unbounded else "bounded"] += 1
        if worst.unbounded:
            assert request.unfamiliar, row.file
            continue
        assert usage.input_tokens <= worst.input_tokens_max, row.file
        assert usage.output_tokens <= worst.output_tokens_max, row.file
        if card is not None:
            tier = row.service_tier or None
            cost = card.cost(usage=usage, tools=tools_of(request.model), service_tier=tier)
            assert 0 < (cost.cost_pusd or 0) <= worst.hold_pusd, row.file
    print(f"\n{dict(found)}")
    assert found["bounded"] > 60
