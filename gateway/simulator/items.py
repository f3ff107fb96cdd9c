"""Makes the output items of a response, each with the pieces in which its text is streamed.

A piece counts as one token. Pure; how items become events belongs to `narration`.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass

from gateway.simulator.directive import JsonObject
from gateway.simulator.plan import Plan, chosen_function
from gateway.simulator.schema import instance_of

FILLER = "\ue000"  # stands for the bulk of a huge event; `framing` writes the bulk in its place
ARGUMENT_PIECE_LENGTH = 4
_TEXT = (
    "Every byte that arrives is passed on at once, and only when the last event has gone by is "
    "its usage read, priced and written down; nothing is lost on the way, nothing is counted "
    "twice, and the sum is exact to the last digit."
)
_REFUSAL = "I am sorry, but the simulator will not help with that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """All ids of one response, derived from its stem, so that a fixed stem gives fixed bytes."""

    stem: str

    @property
    def response(self) -> str:
        return f"resp_{self.stem}"

    def item(self, prefix: str, number: int) -> str:
        return f"{prefix}_{self.stem[:16]}{self.noise(f'{prefix}{number}', 34)}"

    def noise(self, salt: str, length: int) -> str:
        return hashlib.sha256(f"{self.stem}/{salt}".encode()).hexdigest()[:length]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One output item as it stands at the end, and its text as it is streamed."""

    final: JsonObject
    pieces: tuple[str, ...] = ()
    is_cut: bool = False


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
    pieces = wanted[: allowed - reasoning]
    is_truncated = plan.reasoning_tokens + len(wanted) > allowed
    is_cut = is_truncated or plan.kind == "incomplete" or plan.is_failure
    items: list[Item] = []
    if reasoning:
        items.append(_reasoning_item(body, ids, reasoning))
    items += [_search_item(ids, number) for number in range(plan.searches)]
    if plan.huge_mib:
        items.append(_image_item(ids))
    if pieces or not is_truncated:
        items.append(_spoken_item(body, plan, ids, pieces, is_cut=is_cut))
    return Output(
        items=tuple(items),
        output_tokens=reasoning + len(pieces),
        reasoning_tokens=reasoning,
        is_truncated=is_truncated,
    )


def _pieces(body: JsonObject, plan: Plan) -> tuple[str, ...]:
    if plan.kind == "function_call":
        function = chosen_function(body) or {}
        return _sliced(_compact(instance_of(function.get("parameters") or {"type": "object"})))
    if plan.kind == "parsed":
        form = body.get("text", {}).get("format", {})
        return _sliced(_compact(instance_of(form.get("schema") or {"type": "object"})))
    words = (_REFUSAL if plan.kind == "refusal" else _TEXT).split()
    count = len(words) if plan.kind == "refusal" else plan.output_tokens
    spoken = itertools.islice(itertools.cycle(words), count)
    return tuple(word if n == 0 else f" {word}" for n, word in enumerate(spoken))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sliced(text: str) -> tuple[str, ...]:
    step = ARGUMENT_PIECE_LENGTH
    return tuple(text[at : at + step] for at in range(0, len(text), step))


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


def _reasoning_item(body: JsonObject, ids: Ids, tokens: int) -> Item:
    asked = body.get("reasoning")
    is_told = isinstance(asked, dict) and bool(asked.get("summary"))
    pieces = ("**Counting", " what", " this", " costs**") if is_told else ()
    final: JsonObject = {"id": ids.item("rs", 0), "type": "reasoning", "summary": []}
    if "reasoning.encrypted_content" in (body.get("include") or []):
        final["encrypted_content"] = ids.noise("encrypted", 64) * (1 + tokens // 16)
    if pieces:
        final["summary"] = [{"type": "summary_text", "text": "".join(pieces)}]
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
