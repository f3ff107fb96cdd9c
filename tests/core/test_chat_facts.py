"""What whole completions and lists of embeddings say, and what stands in their place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.chat_facts import (
    TREE,
    observe_completion,
    observe_embeddings,
    said_from,
    said_in,
    usage_in,
)
from gateway.core.observation import Observation
from gateway.core.skim import Skimmer
from gateway.core.usage import Usage

USED = {
    "prompt_tokens": 90,
    "completion_tokens": 30,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 10, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 5, "rejected_prediction_tokens": 3},
}
USAGE = Usage(
    input_tokens=90,
    output_tokens=30,
    cached_tokens=20,
    cache_write_tokens=10,
    reasoning_tokens=5,
)
EMBEDDED = {"prompt_tokens": 7, "total_tokens": 7}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NAMES = ("id", "object", "model", "service_tier", "choices", "usage", "error")


def completion(*reasons: str | None, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hello"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-test",
        "service_tier": "default",
        "choices": [
            {"index": place, "finish_reason": reason, "message": message}
            for place, reason in enumerate(reasons)
        ],
        "usage": USED,
        **fields,
    }


def seen(document: Any) -> Observation:
    """As it is read in memory, and as it is walked: the same."""
    data = json.dumps(document).encode()
    skimmer = Skimmer(TREE)
    skimmer.feed(data)
    walked = observe_completion(said_from(skimmer.end()))
    assert observe_completion(said_in(data)) == walked
    return walked


@pytest.mark.parametrize(
    ("reasons", "terminal", "reason"),
    [
        (["stop"], "completed", None),
        (["tool_calls", "function_call"], "completed", None),
        ([None], "completed", None),
        (["stop", "length"], "incomplete", "max_output_tokens"),
        (["content_filter"], "incomplete", "content_filter"),
    ],
)
def test_how_a_completion_ended(reasons: list[str], terminal: str, reason: str | None) -> None:
    assert seen(completion(*reasons)) == Observation(
        terminal=f"response.{terminal}",
        response_id="chatcmpl-1",
        model="gpt-test",
        service_tier="default",
        usage=USAGE,
        reason=reason,
        has_output=True,
    )


def test_a_model_that_searches_did_so_once() -> None:
    assert (
        seen(completion("stop", model="gpt-4o-search-preview-2025-03-11")).tools.web_searches == 1
    )
    assert seen(completion("stop", model=None)).tools.web_searches == 0


def test_what_was_spoken_has_an_id() -> None:
    spoken = completion("stop")
    spoken["choices"][0]["message"]["audio"] = {"data": "AAAA", "id": "audio_1"}
    assert seen(spoken).item_ids == ("audio_1",)
    spoken["choices"][0]["message"]["audio"] = {"id": None}
    assert seen(spoken).item_ids == ()
    spoken["choices"][0]["message"]["audio"] = "loud"
    assert seen(spoken).usage == USAGE


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"usage": None}, "usage_missing"),
        ({"usage": 7}, "usage_invalid"),
        ({"usage": {**USED, "total_tokens": 121}}, "usage_invalid"),
        ({"usage": {**USED, "completion_tokens": None}}, "usage_invalid"),
        ({"usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}}, None),
    ],
)
def test_a_usage_that_cannot_be_is_a_problem(fields: dict[str, Any], problem: str | None) -> None:
    assert seen(completion("stop", **fields)).problem == problem


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"error": {"code": "server_error", "type": "x"}}, "server_error"),
        ({"error": {"code": None, "type": "overloaded"}}, "overloaded"),
        ({"error": {}}, "error"),
        ({"error": "broken"}, "error"),
        ({"choices": [], "usage": USED}, None),
        ({}, None),
    ],
)
def test_what_stands_in_its_place(document: Any, reason: str | None) -> None:
    assert seen(document) == Observation(reason=reason)


def test_what_is_no_document_cannot_be_read() -> None:
    assert observe_completion(said_in(b"{")).problem == "body_unreadable"
    assert observe_embeddings(said_in(b"")).problem == "body_unreadable"


@pytest.mark.parametrize("text", [r'"\ud800"', "17", '{"role": "user"}', "[" * 80 + "]" * 80])
def test_a_strange_text_does_not_cost_the_usage(text: str) -> None:
    document = json.dumps(completion("stop")).replace('"hello"', text).replace('"gpt-test"', "6")
    read = observe_completion(said_in(document.encode()))
    assert (read.usage, read.model, read.response_id) == (USAGE, None, "chatcmpl-1")


def test_embeddings_write_nothing() -> None:
    document = {"object": "list", "data": [{"embedding": [0.5]}], "model": "e", "usage": EMBEDDED}
    assert observe_embeddings(said_in(json.dumps(document).encode())) == Observation(
        terminal="response.completed",
        model="e",
        usage=Usage(input_tokens=7, output_tokens=0),
    )
    refused = b'{"error": {"type": "invalid_request_error"}}'
    assert observe_embeddings(said_in(refused)) == Observation(reason="invalid_request_error")
    assert usage_in(b'{"prompt_tokens": 7}') == (None, True)
    assert usage_in(b"{") == (None, True)
    assert usage_in(b"") == (None, False)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)) | JSON, st.binary(max_size=9))
def test_it_never_raises(document: Any, noise: bytes) -> None:
    for data in (json.dumps(document).encode(), noise):
        observe_completion(said_in(data))
        observe_embeddings(said_in(data))
