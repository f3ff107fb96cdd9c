"""The events of each kind of tool, in the API's order, and every event that there is."""

from typing import Any, get_args

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.simulator.plan import KINDS
from tests.simulator.scenes import events, types

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
MEMBERS = {
    get_args(member.model_fields["type"].annotation)[0]
    for member in get_args(get_args(ResponseStreamEvent)[0])
}
IN_NO_UNION = {
    "keepalive",
    "response.apply_patch_call_operation_diff.delta",
    "response.apply_patch_call_operation_diff.done",
    "response.reasoning_part.added",
    "response.reasoning_part.done",
}
SUMMED = {"reasoning": {"summary": "auto"}}
FLAT = {"error": "kind=error; flat"}  # the nested form is the wire's, the flat one the documents'


def every_event() -> list[dict[str, Any]]:
    told = [FLAT.get(kind, f"kind={kind}") for kind in sorted(KINDS)]
    return [event for directive in told for event in events(directive, **SUMMED)]


def test_every_event_of_the_union_and_of_none_can_be_asked_for() -> None:
    assert len(MEMBERS) >= 59
    assert {event["type"] for event in every_event()} == MEMBERS | IN_NO_UNION


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_parses_with_the_sdk_s_types(kind: str) -> None:
    told = events(FLAT.get(kind, f"kind={kind}"), **SUMMED)
    for event in told:
        if event["type"] not in IN_NO_UNION:
            assert EVENT.validate_python(event, strict=True).type == event["type"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    Response.model_validate(told[-1]["response"], strict=True)


@pytest.mark.parametrize("kind", sorted(KINDS - {"failed", "error"}))
def test_items_open_and_close_in_their_places(kind: str) -> None:
    told = events(f"kind={kind}", **SUMMED)
    closed = [event for event in told if event["type"] == "response.output_item.done"]
    opened = [event for event in told if event["type"] == "response.output_item.added"]
    finals = [event["item"] for event in closed]
    assert finals == told[-1]["response"]["output"]
    assert [event["item"]["id"] for event in opened] == [final["id"] for final in finals]
    assert [event["output_index"] for event in closed] == list(range(len(finals)))


@pytest.mark.parametrize(
    ("kind", "field"),
    [("mcp", "arguments"), ("custom_tool", "input"), ("code_interpreter", "code")],
)
def test_deltas_add_up(kind: str, field: str) -> None:
    told = events(f"kind={kind}")
    (done,) = (event for event in told if field in event and event["type"].endswith(".done"))
    name = done["type"].removesuffix("done") + "delta"
    said = "".join(event["delta"] for event in told if event["type"] == name)
    assert said == done[field]


def test_a_shell_runs_and_answers() -> None:
    assert types(events("kind=shell"))[2:12] == [
        "output_item.added",
        "shell_call_command.added",
        "shell_call_command.delta",
        "shell_call_command.done",
        "output_item.done",
        "output_item.added",
        "shell_call_output_content.delta",
        "shell_call_output_content.done",
        "output_item.done",
        "output_item.added",
    ]


def test_a_server_lists_its_tools_before_one_is_called() -> None:
    told = types(events("kind=mcp"))
    assert told.index("mcp_list_tools.completed") < told.index("mcp_call.in_progress")
    failed = types(events("kind=mcp_failed"))
    assert {"mcp_list_tools.failed", "mcp_call.failed"} <= set(failed)


def test_as_many_partial_images_as_are_wanted() -> None:
    told = events("kind=image_generation; partials=3")
    name = "response.image_generation_call.partial_image"
    partial = [event["partial_image_index"] for event in told if event["type"] == name]
    assert partial == [0, 1, 2]


def test_a_queued_response_says_so_first() -> None:
    assert types(events("kind=queued"))[:3] == ["created", "queued", "in_progress"]
    assert types(events("", background=True))[:3] == ["created", "queued", "in_progress"]


def test_what_tools_say_is_not_padded() -> None:
    for kind, is_padded in {"shell": True, "mcp": True, "custom_tool": False}.items():
        deltas = [e for e in events(f"kind={kind}; output=0") if e["type"].endswith(".delta")]
        commands = [e for e in deltas if "output_content" not in e["type"]]
        assert {"obfuscation" in event for event in commands} == {is_padded}
    outputs = [e for e in events("kind=shell") if "output_content.delta" in e["type"]]
    assert not any("obfuscation" in event for event in outputs)
