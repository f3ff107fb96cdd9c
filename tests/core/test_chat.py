"""A chat completion's body in the terms of any request that costs, and what bounds its cost."""

import json
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from gateway.core.admit import admit, lowered
from gateway.core.bound import Bound, BoundInput, bound, output_that_fits
from gateway.core.chat import ChatRequest, searches
from gateway.core.content import Content
from gateway.core.errors import InvalidRequest, PolicyDenied
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice
from tests.builders import price

HELLO = [{"role": "user", "content": "hello"}]
CARD = price(tool_fees_pusd={"web_search": 25_000_000_000})
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}
LINK = {"type": "image_url", "image_url": {"url": "https://a.test/cat.png"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}}


def request(**fields: Any) -> ChatRequest:
    given = {"model": "gpt-test", "messages": HELLO, **fields}
    return ChatRequest.parse(json.dumps(given).encode())


def said(content: Any, **more: Any) -> ChatRequest:
    return request(messages=[{"role": "user", "content": content, **more}])


def bounded(card: ModelPrice = CARD, **fields: Any) -> Bound:
    return bound(BoundInput(request=request(**fields)), card)


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        request(**fields)
    return raised.value


def test_every_field_is_read() -> None:
    fields: dict[str, Any] = {
        "model": "gpt-test",
        "messages": HELLO,
        "stream": True,
        "store": True,
        "service_tier": "flex",
        "max_completion_tokens": 100,
        "n": 3,
        "tools": [FUNCTION, {"type": "custom", "custom": {"name": "c"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "functions": [{"name": "g"}],
    }
    read = request(**fields)
    assert read == ChatRequest(
        model="gpt-test",
        content=Content(items=1),
        service_tier="flex",
        is_stream=True,
        is_stored=True,
        max_output_tokens=100,
        output_field="max_completion_tokens",
        choices=3,
        own_tools=4,
        unfamiliar=frozenset(),
        body_bytes=read.body_bytes,
        fields=fields,
    )
    assert [tool.place for tool in read.tools()][-1] == "functions[0]"


def test_what_is_not_said_is_not_stored_and_one_choice() -> None:
    read = request(n=None, store=None)
    assert (read.is_stored, read.choices, read.is_stream) == (False, 1, False)
    assert (read.keeps_history, read.has_hosted_tools, read.limitless) == (True, False, ())


def test_a_dearer_write_to_the_cache_is_held() -> None:
    kept = request(prompt_cache_options={"ttl": "12h"})
    assert kept.may_keep_12h
    assert not request(prompt_cache_options={"ttl": "30m"}).may_keep_12h


def test_no_field_of_the_sdk_is_unfamiliar() -> None:
    known = get_type_hints(CompletionCreateParamsBase).keys() | {"stream"}
    assert known - ChatRequest.familiar == set()
    assert request(agents=4).unfamiliar == {"agents"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"stream_options": []}, "stream_options"),
        ({"stream": 1}, "stream"),
        ({"n": -1}, "n"),
        ({"N": 8}, "n"),
        ({"maxTokens": 8}, "max_tokens"),
        ({"web_Search_options": {}}, "web_search_options"),
    ],
)
def test_what_cannot_be_read_is_refused(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "max_completion_tokens"),
        ({"model": "gpt-4o-mini"}, "max_completion_tokens"),
        ({"model": "gpt-4.1"}, "max_completion_tokens"),
        ({"model": "gpt-4-0613"}, "max_tokens"),
        ({"model": "gpt-3.5-turbo"}, "max_tokens"),
        ({"max_tokens": 9}, "max_tokens"),
        ({"model": "gpt-4", "max_completion_tokens": 9}, "max_completion_tokens"),
    ],
)
def test_a_default_and_a_cap_take_the_name_that_is_understood(
    fields: dict[str, Any], name: str
) -> None:
    admitted = admit(request(**fields), Policy(max_output_tokens_cap=4, over="clamp"))
    assert [(change.field, change.now) for change in admitted.changes] == [(name, 4)]
    assert json.loads(admitted.body or b"")[name] == 4
    assert admitted.request.max_output_tokens == 4


def test_a_stream_is_asked_for_its_usage_where_its_client_did_not() -> None:
    admitted = admit(request(stream=True, stream_options={"include_obfuscation": False}), Policy())
    assert admitted.asks_usage
    assert admitted.changes == ()
    sent = json.loads(admitted.body or b"")
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert sent["messages"] == HELLO
    fitted = lowered(admitted, 7)
    assert fitted.asks_usage
    assert json.loads(fitted.body or b"") == {**sent, "max_completion_tokens": 7}


@pytest.mark.parametrize(
    "fields", [{}, {"stream": False}, {"stream": True, "stream_options": {"include_usage": True}}]
)
def test_a_body_that_needs_nothing_leaves_as_it_came(fields: dict[str, Any]) -> None:
    admitted = admit(request(**fields), Policy())
    assert (admitted.body, admitted.asks_usage) == (None, False)


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (None, Content(items=1)),
        ([], Content(items=1)),
        ([{"type": "text", "text": "x"}, {"type": "refusal"}], Content(items=1)),
        ([IMAGE, IMAGE], Content(items=1, images=2, image_bytes=10_044)),
        ([LINK], Content(items=1, images=1)),
        ([{"type": "image_url", "image_url": 1}], Content(items=1, images=1)),
        ([{"type": "file", "file": {"file_id": "f"}}], Content(items=1, missing="messages[0]")),
        ([{"type": ["text"]}], Content(items=1, missing="messages[0]")),
        (["text"], Content(items=1, missing="messages[0]")),
        ({"text": "x"}, Content(items=1, missing="messages[0]")),
    ],
)
def test_what_messages_bring(content: Any, read: Content) -> None:
    assert said(content).content == read


def test_what_messages_only_refer_to() -> None:
    assert said("x", audio={"id": "a"}).content.missing == "messages[0]"
    assert request(messages=["x"]).content.missing == "messages[0]"
    assert request(messages="x").content == Content(items=0, missing="messages")
    assert bounded(messages="x").input_tokens_max == CARD.input_tokens_max


def test_each_choice_may_be_as_long_as_the_limit() -> None:
    one, three = bounded(max_tokens=100), bounded(max_tokens=100, n=3)
    assert (one.output_tokens_max, three.output_tokens_max) == (100, 300)
    assert three.unbounded == ()
    assert bounded(n=2).output_tokens_max == 2 * CARD.output_tokens_max


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2 * 10**9))
def test_an_output_that_fits_fits_for_all_choices(choices: int, left_pusd: int) -> None:
    asked = BoundInput(request=request(n=choices, max_completion_tokens=40_000))
    tokens = output_that_fits(asked, CARD, left_pusd)
    if tokens is not None:
        sent = lowered(admit(asked.request, Policy()), tokens).request
        assert bound(BoundInput(request=sent), CARD).hold_pusd <= left_pusd
        assert 1 <= tokens <= 40_000


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"modalities": "audio", "audio": {}}, "modalities"),
        ({"modalities": ["text"], "audio": {"voice": "alloy"}}, "audio"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"tools": [{"type": "mcp"}]}, "tools"),
        ({"tools": {}}, "tools"),
        ({"agents": 4}, "agents"),
    ],
)
def test_what_no_limit_bounds(fields: dict[str, Any], field: str) -> None:
    assert bounded(**fields).unbounded[0].field == field


@pytest.mark.parametrize(
    "fields",
    [
        {"web_search_options": {}},
        {"model": "gpt-4o-search-preview"},
        {"model": "gpt-5-search-api", "web_search_options": {"search_context_size": "high"}},
    ],
)
def test_a_search_is_held_with_its_fee(fields: dict[str, Any]) -> None:
    worst = bounded(max_tokens=10, **fields)
    assert worst.tools_pusd == 25_000_000_000
    assert worst.input_tokens_max >= CARD.input_tokens_max
    assert worst.unbounded == ()
    assert bounded(price(), **fields).unbounded[0].field == "tools"
    with pytest.raises(PolicyDenied):
        admit(request(**fields), Policy(tools=("function",)))


@pytest.mark.parametrize("model", ["gpt-4o-search-preview-2025-03-11", "gpt-5-search-api"])
def test_models_that_search(model: str) -> None:
    assert searches(model)
    assert not searches("research-4")
    assert not searches("gpt-4o-searching")


def test_a_policy_finds_each_tool() -> None:
    only_custom = Policy(tools=("custom",))
    for fields in (
        {"tools": [FUNCTION]},
        {"functions": [{"name": "f"}]},
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [FUNCTION]}}},
    ):
        with pytest.raises(PolicyDenied):
            admit(request(**fields), only_custom)
    assert admit(request(tools=[{"type": "custom"}]), only_custom).changes == ()


def test_a_policy_on_storing_and_tiers() -> None:
    policy = Policy(store="deny", service_tiers=("default",))
    with pytest.raises(PolicyDenied) as denied:
        admit(request(store=True), policy)
    assert denied.value.param == "store"
    changes = admit(request(), policy).changes
    assert [(change.field, change.now) for change in changes] == [("service_tier", "default")]


def test_the_api_takes_a_single_token() -> None:
    assert admit(request(), Policy(max_output_tokens_cap=1)).request.max_output_tokens == 1
