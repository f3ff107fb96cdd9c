"""Whole responses: they parse with the SDK's own types, and say what was counted."""

from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.simulator.script import final_response, first_response, make_scene
from gateway.simulator.usage import PrefixCache
from tests.simulator.scenes import IDS, events, scene

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SHAPE = {"type": "json_schema", "name": "n", "schema": {"properties": {"a": {"type": "integer"}}}}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("directive", "body"),
    [
        ("", {}),
        ("kind=reasoning", {"reasoning": {"effort": "low", "summary": "auto"}}),
        ("kind=function_call", {"tools": [LOOK]}),
        ("kind=web_search; searches=2", {"tools": [{"type": "web_search"}]}),
        ("kind=incomplete", {}),
        ("kind=incomplete; reason=content_filter", {}),
        ("kind=failed", {}),
        ("kind=failed; when=after", {}),
        ("kind=error; flat", {}),
        ("kind=refusal", {}),
        ("kind=keepalive", {}),
        ("huge=1", {}),
        ("", {"text": {"format": SHAPE}}),
        ("", {"max_output_tokens": 16, "metadata": {"a": "b"}, "instructions": "Be brief."}),
    ],
)
def test_every_kind_parses_with_the_sdk_s_types(directive: str, body: dict[str, Any]) -> None:
    told = events(directive, **body)
    for event in told:
        if event["type"] != "keepalive":
            EVENT.validate_python(event)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    Response.model_validate(told[-1]["response"])


def test_usage_comes_with_the_last_event_only() -> None:
    *before, last = events("output=7")
    assert {event["response"]["usage"] for event in before if "response" in event} == {None}
    assert last["type"] == "response.completed"
    assert last["response"]["usage"]["output_tokens"] == 7


def test_an_error_is_nested_and_not_the_last() -> None:
    *_, error, last = events("kind=error; code=rate_limit_exceeded")
    assert error["error"]["code"] == "rate_limit_exceeded"
    assert last["type"] == "response.failed"
    assert last["response"]["usage"] is None
    assert last["response"]["service_tier"] == "auto"
    *_, flat, _ = events("kind=error; flat")
    assert flat["code"] == "server_error"


def test_a_late_failure_has_usage() -> None:
    last = events("kind=failed; when=after; output=3")[-1]["response"]
    assert (last["status"], last["usage"]["output_tokens"]) == ("failed", 3)


def test_what_was_cut_says_why() -> None:
    cut = events("output=50", max_output_tokens=16)[-1]
    assert cut["type"] == "response.incomplete"
    assert cut["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    filtered = final_response(scene("kind=incomplete; reason=content_filter"))
    assert filtered["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.parametrize(
    ("asked", "answered"),
    [(None, "default"), ("auto", "default"), ("fast", "priority"), ("flex", "flex")],
)
def test_the_tier_is_known_at_the_end(asked: str | None, answered: str) -> None:
    played = scene("", service_tier=asked)
    assert first_response(played)["service_tier"] == (asked or "auto")
    assert final_response(played)["service_tier"] == answered


def test_tier_and_snapshot_by_directive() -> None:
    last = final_response(scene("tier=scale; snapshot=2026-01-02"))
    assert (last["service_tier"], last["model"]) == ("scale", "gpt-5.6-2026-01-02")


def test_keepalives_take_a_number() -> None:
    told = events("keepalive=2")
    assert [event["type"] for event in told][2] == "keepalive"
    assert told[-1]["type"] == "response.completed"


def test_hidden_tokens_and_the_cache_count() -> None:
    cache = PrefixCache()
    body = {"model": "gpt-6-sol", "input": "x", "prompt_cache_key": "k"}
    plan = scene().plan

    def usage() -> Any:
        return make_scene(body, plan, ids=IDS, created_at=1, cache=cache, hidden_tokens=2047).usage

    first, second = usage(), usage()
    assert first["input_tokens"] == second["input_tokens"] == 2048
    assert first["input_tokens_details"] == {"cache_write_tokens": 2048, "cached_tokens": 0}
    assert second["input_tokens_details"] == {"cache_write_tokens": 0, "cached_tokens": 2048}
