"""Makes the output items of a response, each with the pieces in which its text is streamed.

A piece counts as one token. Pure; how items become events belongs to `narration`.
"""

import itertools
import json
from dataclasses import dataclass

from gateway.simulator.directive import JsonObject
from gateway.simulator.ids import Ids, sliced
from gateway.simulator.plan import Plan, chosen_function
from gateway.simulator.schema import instance_of
from gateway.simulator.tools import CLIENT_KINDS, Item, tool_items

_TEXT = (
    "Every byte that arrives is passed on at once, and only when the last event has gone by is "
    "its usage read, priced and written down; nothing is lost on the way, nothing is counted "
    "twice, and the sum is exact to the last digit."
)
_REFUSAL = "I am sorry, but the simulator will not help with that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """All items of a response, and what they count as."""

    items: tuple[Item, ...]
    output_tokens: int
    reasoning_tokens: int
    is_truncated: bool


def make_output(body: JsonObject, plan: Plan, ids: Ids) -> Output:
    """Say what the plan wants, as far as `max_output_tokens` allows."""
    allowed = body.get("max_output_tokens") or 10**9
    wanted = _pieces(body, plan)
    reasoning = min(plan.reasoning_tokens, allowed)
    asked = tool_items(plan.kind, plan.calls, ids)
    calls, written = _affordable(asked, allowed - reasoning)
    pieces = wanted[: allowed - reasoning - written]
    is_truncated = (
        reasoning < plan.reasoning_tokens or len(calls) < len(asked) or len(pieces) < len(wanted)
    )
    is_cut = is_truncated or plan.kind == "incomplete" or plan.is_failure
    items: list[Item] = []
    if reasoning:
        items.append(_reasoning_item(body, plan, ids, reasoning))
    items += [_search_item(ids, number) for number in range(plan.searches)]
    items += calls
    if plan.huge_mib:
        items.append(_image_item(ids))
    if pieces or not (is_truncated or plan.kind in CLIENT_KINDS):
        items.append(_spoken_item(body, plan, ids, pieces, is_cut=is_cut))
    return Output(
        items=tuple(items),
        output_tokens=reasoning + written + len(pieces),
        reasoning_tokens=reasoning,
        is_truncated=is_truncated,
    )


def _affordable(calls: list[Item], allowed_tokens: int) -> tuple[list[Item], int]:
    """The calls that fit, and what they count."""
    written = 0
    for number, call in enumerate(calls):
        if written + call.written_tokens > allowed_tokens:
            return calls[:number], written
        written += call.written_tokens
    return calls, written


def _pieces(body: JsonObject, plan: Plan) -> tuple[str, ...]:
    if plan.kind in CLIENT_KINDS:
        return ()
    if plan.kind == "function_call":
        function = chosen_function(body) or {}
        if plan.arguments:
            return sliced(plan.arguments)
        return sliced(_compact(instance_of(function.get("parameters") or {"type": "object"})))
    if plan.kind == "parsed":
        form = body.get("text", {}).get("format", {})
        return sliced(_compact(instance_of(form.get("schema") or {"type": "object"})))
    words = (_REFUSAL if plan.kind == "refusal" else _TEXT).split()
    count = len(words) if plan.kind == "refusal" else plan.output_tokens
    spoken = itertools.islice(itertools.cycle(words), count)
    return tuple(word if n == 0 else f" {word}" for n, word in enumerate(spoken))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _spoken_item(
    body: JsonObject, plan: Plan, ids: Ids, pieces: tuple[str, ...], *, is_cut: bool
) -> Item:
    status = "incomplete" if is_cut else "completed"
    if plan.kind == "function_call":
        final = _function_call(body, ids, "".join(pieces), status)
    else:
        final = _message(plan, ids, "".join(pieces), status)
    return Item(final=final, pieces=pieces, is_cut=is_cut)


def _function_call(body: JsonObject, ids: Ids, arguments: str, status: str) -> JsonObject:
    return {
        "id": ids.item("fc", 0),
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": f"call_{ids.noise('call', 24)}",
        "name": (chosen_function(body) or {}).get("name", "simulated"),
    }


def _message(plan: Plan, ids: Ids, text: str, status: str) -> JsonObject:
    if plan.kind == "refusal":
        part: JsonObject = {"type": "refusal", "refusal": text}
    else:
        citations = [_citation(number, len(text)) for number in range(plan.searches)]
        if plan.kind == "annotations":
            citations = _every_citation(ids, len(text))
        part = {"type": "output_text", "annotations": citations, "logprobs": [], "text": text}
    return {
        "id": ids.item("msg", 0),
        "type": "message",
        "status": status,
        "content": [part],
        "role": "assistant",
    }


def _citation(number: int, length: int) -> JsonObject:
    return {
        "type": "url_citation",
        "end_index": length,
        "start_index": 0,
        "title": f"Simulated page {number}",
        "url": f"https://example.com/{number}",
    }


def _every_citation(ids: Ids, length: int) -> list[JsonObject]:
    """One of each kind."""
    file = {"file_id": f"file-{ids.noise('cited', 22)}"}
    named = {**file, "filename": "simulated.txt"}
    container = {"container_id": f"cntr_{ids.noise('cited', 48)}", **named}
    return [
        _citation(0, length),
        {"type": "file_citation", **named, "index": length},
        {"type": "container_file_citation", **container, "start_index": 0, "end_index": length},
        {"type": "file_path", **file, "index": length},
    ]


def _reasoning_item(body: JsonObject, plan: Plan, ids: Ids, tokens: int) -> Item:
    if plan.is_reasoning_told:
        return _told_reasoning(ids, tokens)
    asked = body.get("reasoning")
    is_told = isinstance(asked, dict) and bool(asked.get("summary"))
    pieces = ("**Counting", " what", " this", " costs**") if is_told else ()
    final: JsonObject = {"id": ids.item("rs", 0), "type": "reasoning", "summary": []}
    if "reasoning.encrypted_content" in (body.get("include") or []):
        final["encrypted_content"] = ids.noise("encrypted", 64) * (1 + tokens // 16)
    if pieces:
        final["summary"] = [{"type": "summary_text", "text": "".join(pieces)}]
    return Item(final=final, pieces=pieces)


def _told_reasoning(ids: Ids, tokens: int) -> Item:
    """As hosts of open models send it: the whole text, not a summary."""
    pieces = tuple(itertools.islice(itertools.cycle(("Count", " and", " tell")), tokens))
    content = [{"type": "reasoning_text", "text": "".join(pieces)}]
    final = {"id": ids.item("rs", 0), "type": "reasoning", "summary": [], "content": content}
    return Item(final=final, pieces=pieces)


def _search_item(ids: Ids, number: int) -> Item:
    query = f"simulated question {number}"
    final = {
        "id": ids.item("ws", number),
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "queries": [query], "query": query},
    }
    return Item(final=final)


def _image_item(ids: Ids) -> Item:
    final = {
        "id": ids.item("ig", 0),
        "type": "image_generation_call",
        "status": "completed",
        "result": "",
    }
    return Item(final=final)
