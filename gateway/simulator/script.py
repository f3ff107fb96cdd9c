"""The events of one response, from `response.created` to its terminal event. Pure.

A Scene holds everything that is decided before the first event; the body of a whole response is
what its terminal event would carry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.simulator.directive import JsonObject
from gateway.simulator.ids import Ids
from gateway.simulator.items import Output, make_output
from gateway.simulator.narration import tell_item
from gateway.simulator.plan import Plan
from gateway.simulator.tool_narration import FILLER
from gateway.simulator.usage import (
    SEARCH_TOKENS,
    PrefixCache,
    cache_writes,
    input_tokens_of,
    overridden,
    tool_usage_object,
    usage_object,
)

_ANSWERED_TIERS = {"auto": "default", "fast": "priority"}
TERMINAL_TYPES = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One response before it is told: the request, the plan, and everything that was counted."""

    body: JsonObject
    plan: Plan
    ids: Ids
    created_at: int  # Unix seconds
    output: Output
    usage: object  # as the terminal event reports it, however odd

    @property
    def status(self) -> str:
        if self.plan.is_failure:
            return "failed"
        is_cut = self.plan.kind == "incomplete" or self.output.is_truncated
        return "incomplete" if is_cut else "completed"

    @property
    def reason(self) -> str | None:
        """Why it did not complete."""
        if self.plan.is_failure:
            return self.plan.error_code
        if self.output.is_truncated:
            return "max_output_tokens"
        return self.plan.reason if self.status == "incomplete" else None

    @property
    def requested_tier(self) -> str:
        return str(self.body.get("service_tier") or "auto")

    @property
    def answered_tier(self) -> str:
        if self.usage is None and self.plan.is_failure:
            return self.requested_tier  # it never ran on any
        return self.plan.tier or _ANSWERED_TIERS.get(self.requested_tier, self.requested_tier)

    @property
    def model(self) -> str:
        name = str(self.body["model"])
        return f"{name}-{self.plan.snapshot}" if self.plan.snapshot else name

    @property
    def tool_usage(self) -> JsonObject:
        is_drawn = self.plan.kind == "image_generation" and self.usage is not None
        return tool_usage_object(self.plan.searches, images=self.plan.calls if is_drawn else 0)


def make_scene(
    body: JsonObject,
    plan: Plan,
    *,
    ids: Ids,
    created_at: int,
    cache: PrefixCache,
    hidden_tokens: int = 0,
) -> Scene:
    """Count the response. `hidden_tokens` is what the chain before it puts into the context."""
    output = make_output(body, plan, ids)
    read = (
        input_tokens_of(body) + hidden_tokens + SEARCH_TOKENS * (plan.searches + plan.context_calls)
    )
    cached = cache.read(body, read)
    counted = usage_object(
        input_tokens=read,
        output_tokens=output.output_tokens,
        cached_tokens=cached,
        cache_write_tokens=cache_writes(str(body.get("model")), read, cached),
        reasoning_tokens=output.reasoning_tokens,
    )
    is_unused = plan.is_failure and not plan.is_late
    usage = None if is_unused and not plan.usage else overridden(plan.usage, counted)
    return Scene(body=body, plan=plan, ids=ids, created_at=created_at, output=output, usage=usage)


def tell(scene: Scene) -> Iterator[JsonObject]:
    """Yield every event with its sequence number; keepalives take a number too."""
    number = 0
    for count, event in enumerate(_events(scene), start=1):
        yield {**event, "sequence_number": number}
        number += 1
        every = scene.plan.keepalive_events
        if every and count % every == 0 and event["type"] not in TERMINAL_TYPES:
            yield {"type": "keepalive", "sequence_number": number}
            number += 1


def first_response(scene: Scene, status: str = "in_progress") -> JsonObject:
    """Return the response as `response.created` shows it."""
    return _response(scene, status, {"service_tier": scene.requested_tier})


def final_response(scene: Scene) -> JsonObject:
    status = scene.status
    changes: JsonObject = {
        "output": [] if scene.usage is None and scene.plan.is_failure else _output(scene),
        "service_tier": scene.answered_tier,
        "tool_usage": scene.tool_usage,
        "usage": scene.usage,
    }
    if status == "completed":
        changes["completed_at"] = scene.created_at + 1
    if status == "incomplete":
        changes["incomplete_details"] = {"reason": scene.reason}
    if status == "failed":
        changes["error"] = {"code": scene.reason, "message": scene.plan.error_message}
    return _response(scene, status, changes)


def _events(scene: Scene) -> Iterator[JsonObject]:
    plan = scene.plan
    is_queued = plan.kind == "queued" or bool(scene.body.get("background"))
    first = first_response(scene, "queued" if is_queued else "in_progress")
    yield {"type": "response.created", "response": first}
    if is_queued:
        yield {"type": "response.queued", "response": first}
    yield {"type": "response.in_progress", "response": first_response(scene)}
    options = scene.body.get("stream_options") or {}
    padding = scene.ids if options.get("include_obfuscation", True) else None
    if not plan.is_failure or plan.is_late:
        for index, item in enumerate(scene.output.items):
            yield from tell_item(item, index, plan, padding)
    if plan.kind == "error":
        yield _error(plan)
    yield {"type": f"response.{scene.status}", "response": final_response(scene)}


def _error(plan: Plan) -> JsonObject:
    """On the wire the error is nested; the documents have it flat."""
    told = {"code": plan.error_code, "message": plan.error_message, "param": None}
    if plan.is_error_flat:
        return {"type": "error", **told}
    return {"type": "error", "error": {"type": plan.error_code, **told}}


def _output(scene: Scene) -> list[JsonObject]:
    finals = [item.final for item in scene.output.items]
    if scene.plan.huge_mib and scene.plan.huge_where == "terminal":
        return [{**f, "result": FILLER} if "result" in f else f for f in finals]
    return finals


def _response(scene: Scene, status: str, changes: JsonObject) -> JsonObject:
    body = scene.body
    fields: JsonObject = {
        "id": scene.ids.response,
        "object": "response",
        "created_at": scene.created_at,
        "status": status,
        "background": bool(body.get("background")),
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        **_echoed(body, ("instructions", "max_output_tokens", "max_tool_calls")),
        "model": scene.model,
        "moderation": None,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        **_echoed(body, ("previous_response_id", "prompt_cache_key")),
        "prompt_cache_retention": body.get("prompt_cache_retention", "in_memory"),
        "reasoning": {"context": None, "effort": None, "summary": None, **_dict(body, "reasoning")},
        **_echoed(body, ("safety_identifier",)),
        "service_tier": scene.requested_tier,
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **_dict(body, "text")},
        "tool_choice": body.get("tool_choice", "auto"),
        "tool_usage": tool_usage_object(0),
        "tools": [_tool(tool) for tool in body.get("tools") or []],
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        **_echoed(body, ("user",)),
        **_conversation(body),
        "metadata": _dict(body, "metadata"),
    }
    return {**fields, **changes}


def _echoed(body: JsonObject, names: tuple[str, ...]) -> JsonObject:
    return {name: body.get(name) for name in names}


def _dict(body: JsonObject, name: str) -> JsonObject:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _conversation(body: JsonObject) -> JsonObject:
    named = body.get("conversation")
    if named is None:
        return {}
    return {"conversation": named if isinstance(named, dict) else {"id": named}}


def _tool(tool: JsonObject) -> JsonObject:
    return {"strict": True, **tool} if tool.get("type") == "function" else tool
