"""The events of each kind of item, in the API's order."""

from tests.simulator.scenes import events, types

MESSAGE = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]


def told(directive: str, **body: object) -> list[str]:
    return types(events(directive, **body))[2:-1]


def test_a_message() -> None:
    assert told("") == MESSAGE


def test_a_refusal() -> None:
    assert told("kind=refusal")[2:4] == ["refusal.delta", "refusal.done"]


def test_a_function_call() -> None:
    assert told("kind=function_call") == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]


def test_reasoning_with_a_summary() -> None:
    assert told("kind=reasoning", reasoning={"summary": "auto"}) == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        *MESSAGE,
    ]


def test_a_web_search() -> None:
    steps = [f"web_search_call.{step}" for step in ("in_progress", "searching", "completed")]
    assert told("kind=web_search") == [
        "output_item.added",
        *steps,
        "output_item.done",
        *MESSAGE[:3],
        "output_text.annotation.added",
        *MESSAGE[3:],
    ]


def test_an_image_is_where_the_bulk_goes() -> None:
    assert "image_generation_call.partial_image" in told("huge=1")


def test_a_failure_leaves_the_item_open() -> None:
    assert told("kind=failed; when=after") == MESSAGE[:3]
    assert "function_call_arguments.done" not in told("kind=failed; when=after")


def test_items_open_empty() -> None:
    added = next(event for event in events("") if event["type"].endswith("item.added"))
    assert added["item"]["content"] == []
    assert added["item"]["status"] == "in_progress"


def test_deltas_are_padded_unless_the_client_declines() -> None:
    def padded(**body: object) -> set[bool]:
        found = [event for event in events("", **body) if event["type"].endswith("text.delta")]
        return {"obfuscation" in event for event in found}

    assert padded() == {True}
    assert padded(stream_options={"include_obfuscation": False}) == {False}
    refused = [event for event in events("kind=refusal") if event["type"].endswith("delta")]
    assert not any("obfuscation" in event for event in refused)
