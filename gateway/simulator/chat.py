"""A chat completion: what a response to the same request would say, in its older words. Pure.

The request is put into the words of the Responses API, so that directives, plans and counts are the
same; its scene is then told as one completion, or as its chunks. Not here: what is said (`items`).
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway.simulator.answers import MODEL_MISSING, ApiError
from gateway.simulator.directive import JsonObject
from gateway.simulator.script import Scene

_AS_THEY_ARE = ("model", "metadata", "service_tier", "stream", "prompt_cache_key", "tool_choice")
_FINISHES = {"max_output_tokens": "length"}
_COUNTS_MAX = 10**9


def check(body: JsonObject) -> None:
    """Raise ApiError for what the API would refuse."""
    check_model(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise ApiError(400, "Messages are needed.", code="invalid_type", param="messages")
    if body.get("stream_options") and not body.get("stream"):
        raise ApiError(400, "stream_options is for streams.", param="stream_options")
    for name in ("n", "max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and not (isinstance(value, int) and 1 <= value <= _COUNTS_MAX):
            raise ApiError(400, f"{name} is out of range.", code="invalid_value", param=name)


def check_model(body: JsonObject) -> None:
    """The same of its model: what is not there is not found."""
    if body.get("model") == MODEL_MISSING:
        raise ApiError(404, "There is no such model.", code="model_not_found", param="model")
    if not isinstance(body.get("model"), str):
        raise ApiError(400, "A model is needed.", code="missing_required_parameter", param="model")


def as_response(body: JsonObject) -> JsonObject:
    """The same request as the Responses API would have it."""
    asked: JsonObject = {name: body[name] for name in _AS_THEY_ARE if name in body}
    asked["input"] = [item for message in body["messages"] for item in _items(message)]
    asked["tools"] = [_flat(tool) for tool in body.get("tools") or []]
    asked["max_output_tokens"] = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(body.get("tool_choice"), dict):
        asked["tool_choice"] = _flat(body["tool_choice"])
    if isinstance(form := body.get("response_format"), dict):
        asked["text"] = {"format": {**form, **form.get("json_schema", {})}}
    if body.get("reasoning_effort"):
        asked["reasoning"] = {"effort": body["reasoning_effort"]}
    return asked


def counted(scene: Scene, choices: int) -> Scene:
    """The scene with each of its choices written: the prompt is read once for all."""
    usage = scene.usage
    if not isinstance(usage, dict) or choices == 1:
        return scene
    details = usage["output_tokens_details"]
    reasoned = {name: count * choices for name, count in details.items()}
    written = usage["output_tokens"] * choices
    return replace(
        scene,
        usage={
            **usage,
            "output_tokens": written,
            "output_tokens_details": reasoned,
            "total_tokens": usage["input_tokens"] + written,
        },
    )


def completion_id(scene: Scene) -> str:
    return f"chatcmpl-{scene.ids.stem}"


def completion(scene: Scene, choices: int) -> JsonObject:
    """The whole completion."""
    message: JsonObject = {
        "role": "assistant",
        "content": _text(scene),
        "refusal": None,
        "annotations": [],
    }
    if calls := _calls(scene):
        message["tool_calls"] = calls
    return {
        **_head(scene, "chat.completion"),
        "choices": [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": _finish(scene),
            }
            for index in range(choices)
        ],
        "usage": _usage(scene),
    }


def chunks(scene: Scene, choices: int, *, is_usage_asked: bool) -> Iterator[JsonObject]:
    """The completion piece by piece; an error ends it where its plan fails."""
    head = _head(scene, "chat.completion.chunk")
    if is_usage_asked:
        head["usage"] = None
    for index in range(choices):
        yield _chunk(head, index, {"role": "assistant", "content": "", "refusal": None})
        if scene.plan.is_failure and not scene.plan.is_late:
            continue
        for delta in _deltas(scene):
            yield _chunk(head, index, delta)
        if not scene.plan.is_failure:
            yield _chunk(head, index, {}, _finish(scene))
    if scene.plan.is_failure:
        code = scene.plan.error_code
        told = {"message": scene.plan.error_message, "type": code, "param": None, "code": code}
        yield {"error": told}
    elif is_usage_asked:
        yield {**head, "choices": [], "usage": _usage(scene)}


def _items(message: JsonObject) -> Iterator[JsonObject]:
    if message.get("role") == "tool":
        yield {"type": "function_call_output", "output": message.get("content")}
        return
    if message.get("content") is not None:
        yield {"role": message.get("role"), "content": message["content"]}
    for call in message.get("tool_calls") or []:
        yield {"type": "function_call", **call.get("function", {})}


def _flat(tool: JsonObject) -> JsonObject:
    """A tool, or the choice of one, with its function's fields beside its type."""
    return {"type": tool.get("type"), **tool.get("function", {})}


def _head(scene: Scene, kind: str) -> JsonObject:
    return {
        "id": completion_id(scene),
        "object": kind,
        "created": scene.created_at,
        "model": scene.model,
        "service_tier": scene.answered_tier,
        "system_fingerprint": None,
    }


def _chunk(head: JsonObject, index: int, delta: JsonObject, ended: str | None = None) -> JsonObject:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": ended}
    return {**head, "choices": [choice]}


def _deltas(scene: Scene) -> Iterator[JsonObject]:
    for place, call in enumerate(_calls(scene)):
        function = call["function"]
        opening = {**call, "index": place, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [opening]}
        said = {"arguments": function["arguments"]}
        yield {"tool_calls": [{"index": place, "function": said}]}
    for item in scene.output.items:
        if item.final["type"] == "message":
            name = "refusal" if item.final["content"][0]["type"] == "refusal" else "content"
            for piece in item.pieces:
                yield {name: piece}


def _calls(scene: Scene) -> list[JsonObject]:
    return [
        {
            "id": final["call_id"],
            "type": "function",
            "function": {"name": final["name"], "arguments": final["arguments"]},
        }
        for final in (item.final for item in scene.output.items)
        if final["type"] == "function_call"
    ]


def _text(scene: Scene) -> str | None:
    parts = [
        part.get("text") or part.get("refusal") or ""
        for item in scene.output.items
        if item.final["type"] == "message"
        for part in item.final["content"]
    ]
    return "".join(parts) if parts else None


def _finish(scene: Scene) -> str:
    if scene.reason is not None:
        return _FINISHES.get(scene.reason, scene.reason)
    return "tool_calls" if _calls(scene) else "stop"


def _usage(scene: Scene) -> object:
    """The counts by their older names; what is none stays as odd as it is."""
    usage = scene.usage
    if not isinstance(usage, dict):
        return usage
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {**usage.get("input_tokens_details", {}), "audio_tokens": 0},
        "completion_tokens_details": {
            **usage.get("output_tokens_details", {}),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
