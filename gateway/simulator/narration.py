"""Tells one output item as the events in which the API streams it. Pure.

Numbers the events only by where they belong (`output_index`); `script` adds the sequence.
"""

from collections.abc import Iterator

from gateway.simulator.directive import JsonObject
from gateway.simulator.ids import Ids
from gateway.simulator.plan import Plan
from gateway.simulator.tool_narration import OPENINGS, tell_tool
from gateway.simulator.tools import Item

OBFUSCATION_LENGTH_MAX = 16
_NOT_PADDED = ("refusal", "custom_tool", "shell_call_output", "audio")
_AUDIO = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"


def tell_item(item: Item, index: int, plan: Plan, padding: Ids | None) -> Iterator[JsonObject]:
    """Yield the item's events; one that a failure cut short is never closed."""
    yield {"type": "response.output_item.added", "item": _opened(item.final), "output_index": index}
    tell = {
        "message": _tell_message,
        "function_call": _tell_function_call,
        "reasoning": _tell_reasoning,
    }.get(item.final["type"], tell_tool)
    for event in tell(item, index, plan):
        yield _padded(event, padding)
    if not _breaks_off(item, plan):
        yield {"type": "response.output_item.done", "item": item.final, "output_index": index}


def _breaks_off(item: Item, plan: Plan) -> bool:
    return item.is_cut and plan.is_failure


def _opened(final: JsonObject) -> JsonObject:
    empty: JsonObject = {"status": "in_progress", "content": [], "arguments": "", "summary": []}
    opened = {name: empty.get(name, value) for name, value in final.items()}
    return {**opened, **OPENINGS.get(final["type"], {})}


def _tell_message(item: Item, index: int, plan: Plan) -> Iterator[JsonObject]:
    part = item.final["content"][0]
    place: JsonObject = {"content_index": 0, "item_id": item.final["id"], "output_index": index}
    is_refusal = part["type"] == "refusal"
    name = "refusal" if is_refusal else "output_text"
    empty = {"refusal": ""} if is_refusal else {"annotations": [], "logprobs": [], "text": ""}
    extra: JsonObject = {} if is_refusal else {"logprobs": []}
    yield {"type": "response.content_part.added", **place, "part": {"type": name, **empty}}
    for piece in item.pieces:
        yield {"type": f"response.{name}.delta", **place, "delta": piece, **extra}
    if plan.kind == "audio":
        yield from _tell_audio(item)
    if _breaks_off(item, plan):
        return
    for number, annotation in enumerate(part.get("annotations", [])):
        yield {
            "type": "response.output_text.annotation.added",
            "annotation": annotation,
            "annotation_index": number,
            **place,
        }
    said = {"refusal": part["refusal"]} if is_refusal else {**extra, "text": part["text"]}
    yield {"type": f"response.{name}.done", **place, **said}
    yield {"type": "response.content_part.done", **place, "part": part}


def _tell_function_call(item: Item, index: int, plan: Plan) -> Iterator[JsonObject]:
    place: JsonObject = {"item_id": item.final["id"], "output_index": index}
    for piece in item.pieces:
        yield {"type": "response.function_call_arguments.delta", "delta": piece, **place}
    if not _breaks_off(item, plan):
        yield {
            "type": "response.function_call_arguments.done",
            "arguments": item.final["arguments"],
            **place,
            "name": item.final["name"],
        }


def _tell_reasoning(item: Item, index: int, plan: Plan) -> Iterator[JsonObject]:
    if plan.is_reasoning_told:
        yield from _tell_reasoning_text(item, index, plan)
        return
    if not item.pieces:
        return
    place: JsonObject = {"item_id": item.final["id"], "output_index": index, "summary_index": 0}
    name = "response.reasoning_summary"
    yield {"type": f"{name}_part.added", **place, "part": {"type": "summary_text", "text": ""}}
    for piece in item.pieces:
        yield {"type": f"{name}_text.delta", "delta": piece, **place}
    yield {"type": f"{name}_text.done", **place, "text": "".join(item.pieces)}
    yield {"type": f"{name}_part.done", **place, "part": item.final["summary"][0]}


def _tell_reasoning_text(item: Item, index: int, plan: Plan) -> Iterator[JsonObject]:
    """The API has a content part for it, and some hosts events of their own."""
    place: JsonObject = {"item_id": item.final["id"], "output_index": index, "content_index": 0}
    part = "reasoning_part" if plan.kind == "reasoning_part" else "content_part"
    empty = {"type": "reasoning_text", "text": ""}
    yield {"type": f"response.{part}.added", **place, "part": empty}
    for piece in item.pieces:
        yield {"type": "response.reasoning_text.delta", **place, "delta": piece}
    yield {"type": "response.reasoning_text.done", **place, "text": "".join(item.pieces)}
    yield {"type": f"response.{part}.done", **place, "part": item.final["content"][0]}


def _tell_audio(item: Item) -> Iterator[JsonObject]:
    """What is said, spoken: these events name neither item nor place."""
    for piece in item.pieces:
        yield {"type": "response.audio.transcript.delta", "delta": piece}
        yield {"type": "response.audio.delta", "delta": _AUDIO}
    yield {"type": "response.audio.transcript.done"}
    yield {"type": "response.audio.done"}


def _padded(event: JsonObject, padding: Ids | None) -> JsonObject:
    """Hide the length of what is said, as the API does, except where it does not."""
    kind = event["type"]
    if padding is None or not kind.endswith(".delta") or any(name in kind for name in _NOT_PADDED):
        return event
    length = 1 + int(padding.noise(event["delta"], 4), 16) % OBFUSCATION_LENGTH_MAX
    return {**event, "obfuscation": padding.noise(f"pad{event['delta']}", length)}
