"""No usage that the API could report for a request is beyond its bound: requests by the thousand.

What is drawn follows what the API does, not what the bound assumes: tokens from the texts of the
request and not from its bytes, images and predecessors of any length, as many rounds as tools may
make, any tier that may serve it. Run with `-s` to see the counts.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.adapters.pricefile import load_prices
from gateway.core.bound import BoundInput, bound
from gateway.core.cost import METER_UNPRICED
from gateway.core.prices import ModelPrice
from gateway.core.request import ResponseRequest
from gateway.core.tool_use import Item, Tool, ToolUse, tool_use_from
from gateway.core.usage import TEXT_ONLY, Modalities, Usage

pytestmark = pytest.mark.usefixtures("full_speed")

BOOKS = {region: load_prices(region=region) for region in (None, "eu")}
BOOK = BOOKS[None]
NOW_US = 1_795_305_600_000_000  # 2026-11-22
WRAPPED = {"item": 8, "function": 40, "prompt": 24}  # tokens that the API may add to a text
SEARCHES = ("web_search", "web_search_preview")
LOOPING = (*SEARCHES, "file_search", "code_interpreter")
HOSTED = [*4 * [*LOOPING], "mcp", "image_generation", "computer", "new_tool"]
CONTAINERS: list[dict[str, Any]] = [
    {"container": {"type": "auto"}},
    {"container": {"type": "auto", "memory_limit": "64g"}},
    {"container": "cntr_1"},
]

texts = st.builds(
    str.__mul__, st.text(max_size=12), st.sampled_from([*[1] * 30, *[200] * 9, 40_000])
)
parts = st.one_of(
    texts.map(lambda text: {"type": "input_text", "text": text}),
    st.just({"type": "input_image", "image_url": "https://example.test/cat.png"}),
    st.sampled_from([0, 10, 9_000]).map(
        lambda size: {"type": "input_image", "image_url": "data:image/png;base64," + "A" * size}
    ),
    st.just({"type": "input_file", "file_id": "file_1"}),
)
items = st.one_of(
    texts.map(lambda text: {"role": "user", "content": text}),
    st.lists(parts, max_size=3).map(lambda inner: {"role": "user", "content": inner}),
    texts.map(lambda text: {"type": "function_call_output", "call_id": "c", "output": text}),
    st.just({"type": "item_reference", "id": "msg_1"}),
)
functions = texts.map(lambda text: {"type": "function", "name": "f", "description": text})
hosted = st.sampled_from(HOSTED).flatmap(
    lambda kind: st.sampled_from(CONTAINERS if kind == "code_interpreter" else [{}]).map(
        lambda more: {"type": kind, **more}
    )
)
tools = functions | hosted
rarely = st.sampled_from([*9 * [False], True])


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    fields: dict[str, Any] = {"model": draw(st.sampled_from(BOOK.names()))}
    fields["input"] = draw(texts | st.lists(items, max_size=4))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "instructions": texts,
        "tools": st.integers(0, 3)
        .map(lambda number: number == 3)
        .flatmap(lambda is_any: st.lists(tools if is_any else functions, max_size=3)),
        "max_output_tokens": st.integers(16, 200_000),
        "max_tool_calls": st.integers(0, 3),
        "service_tier": st.sampled_from([*["default"] * 4, "auto", "flex", "fast", "ultrafast"]),
        "prompt_cache_options": st.sampled_from([{"ttl": "12h"}, {"ttl": "30m"}]),
        "reasoning": rarely.map(lambda is_pro: {"mode": "pro"} if is_pro else {"effort": "max"}),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(strategy)
    rare = {
        "conversation": "conv_1",
        "prompt": {"id": "pmpt_1"},
        "context_management": [{"type": "compaction"}],
        "agents": 4,
    }
    return fields | {name: value for name, value in rare.items() if draw(rarely)}


def text_bytes(value: Any) -> int:
    """The bytes of all texts in a value: as many tokens as they can be, at the most."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode())
    if isinstance(value, dict):
        return sum(text_bytes(inner) for inner in value.values())
    return sum(map(text_bytes, value)) if isinstance(value, list) else 0


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Each object in a value, however deep."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from objects(each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    asked: BoundInput
    price: ModelPrice
    usage: Usage
    tools: ToolUse
    service_tier: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    fields = draw(bodies())
    window = draw(st.sampled_from([None, None, None, "2h", "8h"]))
    price = BOOKS[draw(st.sampled_from([*BOOKS]))].find(fields["model"], NOW_US, window=window)
    assume(price is not None)
    assert price is not None
    previous = draw(st.none() | st.integers(0, 400_000)) if draw(st.booleans()) else None
    if previous is not None or draw(rarely):
        fields["previous_response_id"] = "resp_1"
    request = ResponseRequest.parse(json.dumps(fields, ensure_ascii=draw(st.booleans())).encode())
    most = fields.get("max_tool_calls", 30)
    calls = draw(st.sampled_from([most, draw(st.integers(0, most))]))
    kinds = {tool["type"] for tool in fields.get("tools", [])}
    rounds = 1 + calls if kinds & {*LOOPING, "mcp", "new_tool"} else 1
    return Case(
        asked=BoundInput(request=request, previous_tokens=previous),
        price=price,
        usage=draw(usages(fields, price, previous, rounds)),
        tools=draw(tool_uses(fields.get("tools", []), calls)),
        service_tier=draw(st.sampled_from(served(fields.get("service_tier"), price))),
    )


@st.composite
def tool_uses(draw: st.DrawFn, given_tools: list[dict[str, Any]], calls: int) -> ToolUse:
    """What the tools of a request may have done in so many calls, each container a new one."""
    kinds = sorted({tool["type"] for tool in given_tools} & {*LOOPING})
    used = dict.fromkeys(LOOPING, 0)
    for kind in kinds[:-1]:
        used[kind] = draw(st.integers(0, calls - sum(used.values())))
    for kind in kinds[-1:]:
        used[kind] = draw(st.sampled_from([calls - sum(used.values()), 0]))
    items = {
        Item(f"{SEARCHES[0]}_call", action_type="search"): sum(used[kind] for kind in SEARCHES),
        Item("file_search_call"): used["file_search"],
        **{Item("code_interpreter_call", "", f"c{n}"): 1 for n in range(used["code_interpreter"])},
    }
    repeated = [
        Tool(
            tool["type"],
            container=tool["container"] if isinstance(tool.get("container"), str) else "",
            memory=dict(tool["container"]).get("memory_limit", "")
            if isinstance(tool.get("container"), dict)
            else "",
        )
        for tool in given_tools
    ]
    return tool_use_from(None, items, tuple(repeated))


def served(asked: str | None, price: ModelPrice) -> list[str]:
    if asked in (None, "auto"):
        return [tier for tier in price.tiers if tier != "batch"]
    return ["default", asked]


@st.composite
def usages(
    draw: st.DrawFn, fields: dict[str, Any], price: ModelPrice, previous: int | None, rounds: int
) -> Usage:
    most = prompt_tokens_max(fields, price, previous)
    if rounds > 1:
        most = price.input_tokens_max * rounds
    read = draw(st.sampled_from([most, draw(st.integers(0, most))]))
    written = min(fields.get("max_output_tokens", 10**9), price.output_tokens_max * rounds)
    wrote = draw(st.sampled_from([written, draw(st.integers(0, written))]))
    has_writes = price.tiers["default"].short.cache_write is not None
    kept = draw(st.sampled_from([0, read, draw(st.integers(0, read))])) if has_writes else 0
    is_12h = fields.get("prompt_cache_options") == {"ttl": "12h"}
    cached = draw(st.integers(0, read - kept))
    heard = price.tiers["default"].short.audio is not None and draw(st.booleans())
    thought = draw(st.integers(0, wrote))
    return Usage(
        modalities=Modalities(audio=read - kept - cached, audio_output=wrote - thought)
        if heard
        else TEXT_ONLY,
        input_tokens=read,
        cached_tokens=cached,
        cache_write_tokens=kept,
        cache_write_12h_tokens=draw(st.sampled_from([kept, 0])) if is_12h else 0,
        output_tokens=wrote,
        reasoning_tokens=thought,
    )


def prompt_tokens_max(fields: dict[str, Any], price: ModelPrice, previous: int | None) -> int:
    """As much as the API may read for a body, by what it says and not by how it is written."""
    types = [inner.get("type") for inner in objects(fields["input"])]
    is_elsewhere = "conversation" in fields or {"input_file", "item_reference"} & {*types}
    is_hosted = any(tool["type"] != "function" for tool in fields.get("tools", []))
    if is_elsewhere or is_hosted or (previous is None and "previous_response_id" in fields):
        return price.input_tokens_max
    items_given = fields["input"] if isinstance(fields["input"], list) else [fields["input"]]
    read = text_bytes([items_given, fields.get("instructions", ""), fields.get("tools", [])])
    read += len(items_given) * WRAPPED["item"] + WRAPPED["prompt"]
    read += len(fields.get("tools", [])) * WRAPPED["function"]
    read += types.count("input_image") * price.image_tokens_max
    return min(read + (previous or 0), price.input_tokens_max)


@pytest.mark.parametrize("requests", [300, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_usage_is_beyond_the_bound(requests: int) -> None:
    found: Counter[str] = Counter()

    @settings(max_examples=requests, suppress_health_check=list(HealthCheck), database=None)
    @given(cases())
    def holds(case: Case) -> None:
        worst = bound(case.asked, case.price)
        found["requests"] += 1
        if worst.unbounded:
            found["unbounded"] += 1
            return
        cost = case.price.cost(usage=case.usage, tools=case.tools, service_tier=case.service_tier)
        assert case.usage.input_tokens <= worst.input_tokens_max
        assert case.usage.output_tokens <= worst.output_tokens_max
        if cost.cost_pusd is None:
            found["of no known cost"] += 1  # the hold stays for it: a meter that has no price
            assert cost.problem == METER_UNPRICED
            return
        assert cost.cost_pusd <= worst.hold_pusd

    holds()
    print(f"\n{dict(found)}")
    assert found["requests"] >= requests
    assert found["unbounded"] + found["of no known cost"] < 0.6 * found["requests"]
