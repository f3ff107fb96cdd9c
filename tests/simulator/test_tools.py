"""What tools are called with, and what counts of it."""

import pytest

from gateway.simulator.tools import CLIENT_KINDS, TOOL_KINDS, tool_items
from tests.simulator.scenes import IDS, scene


@pytest.mark.parametrize("kind", sorted(TOOL_KINDS))
def test_a_kind_has_items_of_its_own_for_each_call(kind: str) -> None:
    once, twice = (tool_items(kind, calls, IDS) for calls in (1, 2))
    ids = [item.final["id"] for item in twice]
    assert len(set(ids)) == len(ids) > len(once)
    assert tool_items(kind, 0, IDS) == []
    assert sum(item.written_tokens for item in once) > 0


def test_what_calls_nothing_has_no_items() -> None:
    assert tool_items("text", 1, IDS) == []


@pytest.mark.parametrize("kind", sorted(TOOL_KINDS))
def test_only_what_the_client_acts_on_stands_alone(kind: str) -> None:
    last = scene(f"kind={kind}").output.items[-1].final["type"]
    assert (last == "message") == (kind not in CLIENT_KINDS)


def test_what_the_model_writes_counts_and_what_a_tool_says_does_not() -> None:
    call, output, message = scene("kind=shell; output=3").output.items
    assert (call.written_tokens, output.written_tokens) == (len(call.pieces), 0)
    assert output.pieces
    counted = scene("kind=shell; output=3").output.output_tokens
    assert counted == len(call.pieces) + len(message.pieces)


def test_a_call_that_does_not_fit_is_not_made() -> None:
    cut = scene("kind=code_interpreter; calls=9", max_output_tokens=16)
    assert cut.output.is_truncated
    assert cut.output.output_tokens <= 16
    assert cut.status == "incomplete"


def test_the_request_limits_calls() -> None:
    items = scene("kind=file_search; calls=5", max_tool_calls=2).output.items
    assert [item.final["type"] for item in items[:-1]] == ["file_search_call"] * 2


def test_what_a_tool_found_is_read() -> None:
    def read(directive: str) -> int:
        usage = scene(directive).usage
        assert isinstance(usage, dict)
        return int(usage["input_tokens"])

    assert read("kind=file_search") > read("kind=custom_tool") + 700


def test_pictures_count_beside_the_usage() -> None:
    drawn = scene("kind=image_generation; calls=2").tool_usage["image_gen"]
    assert (
        drawn["output_tokens"]
        == 2 * scene("kind=image_generation").tool_usage["image_gen"]["output_tokens"]
    )
    assert drawn["total_tokens"] == drawn["input_tokens"] + drawn["output_tokens"] > 0
    assert scene("kind=text").tool_usage["image_gen"]["total_tokens"] == 0
