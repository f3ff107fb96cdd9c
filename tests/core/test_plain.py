"""A response reads the same in one go and with care, and the usual ones are read in one go."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import plain
from gateway.core.facts import facts_from, skim
from gateway.core.plain import facts_in
from gateway.core.skim import KEPT_BYTES_MAX
from gateway.core.usage import COUNT_MAX
from tests.core.test_facts import ANY, BODIES, EVENTS

COUNTS: st.SearchStrategy[Any] = st.sampled_from(
    [0, 1, 2, 3, COUNT_MAX, COUNT_MAX + 1, -1, 1.0, True, None, "1", {}]
)
WORDS: st.SearchStrategy[Any] = st.sampled_from(
    ["", "completed", "response", "a\0b", "\\", "é" * 70, 7, None, [], {}]
)
DETAILS = st.none() | st.dictionaries(
    st.sampled_from(
        ["cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens", "x"]
    ),
    COUNTS,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": WORDS,
        "type": st.sampled_from(["message", "reasoning", "web_search_call", "file_search_call", ""])
        | WORDS,
        "status": WORDS,
        "container_id": WORDS,
        "action": st.none() | st.just({"type": "search"}),
        "content": st.just([{"type": "output_text", "text": "\ud800"}]) | WORDS,
    },
)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "object", "status", "model", "service_tier", "error"), WORDS),
        "usage": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "input_tokens": COUNTS,
                "output_tokens": COUNTS,
                "total_tokens": COUNTS,
                "input_tokens_details": DETAILS,
                "output_tokens_details": DETAILS,
            },
        ),
        "tool_usage": st.none() | st.just({"web_search": {"num_requests": 1}}) | st.just({"a": 0}),
        "incomplete_details": st.none() | st.fixed_dictionaries({"reason": WORDS}),
        "output": st.lists(ITEMS | WORDS, max_size=3) | WORDS,
        "tools": st.just([{"type": "web_search"}]),
    },
)
USUAL: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "incomplete",
    "model": "gpt-4o-mini",
    "service_tier": "default",
    "error": None,
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {"id": "rs_1", "type": "reasoning"},
        {"id": "msg_1", "type": "message", "status": "completed", "content": [{"a": "b"}]},
    ],
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    },
}


def carefully(document: bytes, *, is_event: bool) -> Any:
    found = skim(document, is_event=is_event)
    return facts_from(found, is_event=is_event) if found else None


@settings(deadline=None)
@given(RESPONSES, st.sampled_from(["response.completed", "", None, 3]), WORDS)
def test_it_reads_the_same_as_with_care(response: Any, kind: Any, error: Any) -> None:
    body = json.dumps(response).encode()
    assert facts_in(body, is_event=False) == carefully(body, is_event=False)
    event = json.dumps({"type": kind, "response": response, "error": error}).encode()
    assert facts_in(event, is_event=True) == carefully(event, is_event=True)


@settings(deadline=None)
@given(st.one_of(EVENTS, BODIES, ANY), st.booleans())
def test_so_does_whatever_may_come(text: str, is_event: bool) -> None:
    document = text.encode()
    assert facts_in(document, is_event=is_event) == carefully(document, is_event=is_event)


@pytest.mark.parametrize(
    "unusual",
    [
        {"tool_usage": {"web_search": {"num_requests": 2}}},
        {"output": [{"id": "ws_1", "type": "web_search_call", "action": {"type": "search"}}]},
        {"output": [{"id": "ws_2", "type": "web_search_call"}]},
        {"output": [{"id": "fs_1", "type": "file_search_call"}]},
        {"output": [{"id": f"msg_{number}", "type": "message"} for number in range(65)]},
        {"output": [{"id": "m" * 1_000, "type": "message"}]},
        {"usage": {**USUAL["usage"], "total_tokens": 15}},
        {"usage": {**USUAL["usage"], "input_tokens_details": {"cached_tokens": 10}}},
    ],
)
def test_what_is_unusual_is_read_with_care(
    monkeypatch: pytest.MonkeyPatch, unusual: dict[str, Any]
) -> None:
    document = json.dumps({**USUAL, **unusual}).encode()
    wanted = carefully(document, is_event=False)
    asked: list[bytes] = []

    def careful(document: bytes, *, is_event: bool) -> Any:
        asked.append(document)
        return skim(document, is_event=is_event)

    monkeypatch.setattr(plain, "skim", careful)
    assert facts_in(document, is_event=False) == wanted
    assert asked == [document]


@pytest.mark.parametrize("byte", [0x00, 0x22, 0x31, 0x7D, 0xD6])
def test_so_does_what_was_damaged_on_its_way(byte: int) -> None:
    """Also in a name that is no text any more: its count must not be taken for none."""
    whole = json.dumps(USUAL).encode()
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
        assert facts_in(damaged, is_event=False) == carefully(damaged, is_event=False)


@pytest.mark.parametrize("is_event", [True, False])
def test_what_the_api_usually_says_takes_no_care(
    monkeypatch: pytest.MonkeyPatch, *, is_event: bool
) -> None:
    said = {"type": "response.incomplete", "response": USUAL} if is_event else USUAL
    document = json.dumps(said).encode()
    wanted = carefully(document, is_event=is_event)
    monkeypatch.setattr(plain, "skim", None)
    assert facts_in(document, is_event=is_event) == wanted
    assert wanted.usage is not None
    assert (wanted.item_ids, wanted.reason) == (("rs_1", "msg_1"), "max_output_tokens")


def test_a_value_too_large_to_be_kept_is_as_unreadable_as_ever() -> None:
    large = json.dumps({**USUAL, "model": "m" * KEPT_BYTES_MAX}).encode()
    seen = facts_in(large, is_event=False)
    assert seen == carefully(large, is_event=False)
    assert seen is not None
    assert seen.model is None
