"""The fields of a chat completion's body that we read, in the terms of any request that costs.

Its limit of output has two names, and counts for each of `n` choices; a search is part of some
models. What has a price of its own, or is billed beyond its limit, is told as limitless. Not here:
what its answer says (`chat_facts`).
"""

import re
from collections.abc import Iterator
from typing import Self

from gateway.core.content import Content
from gateway.core.errors import InvalidRequest
from gateway.core.request import Request, count_in, flag_in, may_keep_12h, model_in, name_in
from gateway.core.strict import Json
from gateway.core.toolset import CLIENT_TOOLS, Tool, tools_of

SEARCH = "web_search"

_RULED = frozenset({
    "model", "messages", "stream", "stream_options", "store", "service_tier",
    "max_completion_tokens", "max_tokens", "n", "tools", "tool_choice", "functions",
    "web_search_options", "modalities", "audio", "prediction",
})  # fmt: skip
_FAMILIAR = _RULED | {
    "frequency_penalty", "function_call", "logit_bias", "logprobs", "metadata", "moderation",
    "parallel_tool_calls", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed",
    "stop", "temperature", "top_logprobs", "top_p", "user", "verbosity",
}  # fmt: skip
_TEXT_FIELDS = frozenset(
    {"role", "content", "name", "refusal", "tool_calls", "tool_call_id", "function_call"}
)
_TEXT_PARTS = frozenset({"text", "refusal"})
_SEARCHING = re.compile(r"-search(-|\Z)")
_LEGACY = re.compile(r"gpt-(3\.5|4)(-|\Z)")  # know the limit by its first name alone
_AUDIO = ("audio", "has tokens with prices of their own")


class ChatRequest(Request, frozen=True, kw_only=True):
    """What the gateway needs to know of `POST /v1/chat/completions`."""

    ruled = _RULED
    familiar = _FAMILIAR

    def tools(self) -> Iterator[Tool]:
        """Every tool that it brings, the search of a model that always searches among them."""
        return _tools(self.fields, self.model)

    def usage_asked(self) -> dict[str, Json]:
        """A stream tells its usage only where it is asked to."""
        if not self.is_stream:
            return {}
        options = self.fields.get("stream_options") or {}
        assert isinstance(options, dict)  # as `of` has seen
        if options.get("include_usage") is True:
            return {}
        return {"stream_options": {**options, "include_usage": True}}

    @classmethod
    def of(cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]) -> Self:
        """The request that these fields are."""
        model = model_in(fields)
        if not isinstance(fields.get("stream_options"), dict | None):
            raise InvalidRequest(
                "The field 'stream_options' must be an object.",
                code="invalid_type",
                param="stream_options",
            )
        output_field = _output_field(fields, model)
        content, has_audio = _content_of(fields.get("messages"))
        kinds = [tool.kind or "" for tool in _tools(fields, model)]
        return cls(
            model=model,
            content=content,
            service_tier=name_in(fields, "service_tier"),
            is_stream=flag_in(fields, "stream"),
            is_stored=flag_in(fields, "store"),
            max_output_tokens=count_in(fields, output_field),
            output_field=output_field,
            choices=count_in(fields, "n") or 1,
            max_tool_calls=1 if SEARCH in kinds else None,
            hosted_tools=tuple(sorted({kind for kind in kinds if kind not in CLIENT_TOOLS})),
            own_tools=sum(kind in CLIENT_TOOLS for kind in kinds),
            may_keep_12h=may_keep_12h(body),
            limitless=tuple(_limitless(fields, has_audio=has_audio)),
            unfamiliar=unfamiliar,
            body_bytes=len(body),
            fields=fields,
        )


def searches(model: str) -> bool:
    """Whether a model looks into the web for each request, by its name."""
    return _SEARCHING.search(model) is not None


def _output_field(fields: dict[str, Json], model: str) -> str:
    """The name by which its output is limited, or would be."""
    given = [
        name for name in ("max_completion_tokens", "max_tokens") if fields.get(name) is not None
    ]
    if len(given) > 1:
        raise InvalidRequest(
            "The fields 'max_tokens' and 'max_completion_tokens' are two limits of the same: "
            "send one of them.",
            code="invalid_value",
            param="max_tokens",
        )
    if given:
        return given[0]
    return "max_tokens" if _LEGACY.match(model) else "max_completion_tokens"


def _tools(fields: dict[str, Json], model: str) -> Iterator[Tool]:
    choice = fields.get("tool_choice")
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if isinstance(allowed, dict):
        choice = {"type": "allowed_tools", "tools": allowed.get("tools")}
    yield from tools_of({"tools": fields.get("tools"), "tool_choice": choice})
    functions = fields.get("functions")
    for index in range(len(functions) if isinstance(functions, list) else 0):
        yield Tool(place=f"functions[{index}]", kind="function", fields={})
    if fields.get("web_search_options") is not None:
        yield Tool(place="web_search_options", kind=SEARCH, fields={})
    elif searches(model):
        yield Tool(place="model", kind=SEARCH, fields={})


def _limitless(fields: dict[str, Json], *, has_audio: bool) -> Iterator[tuple[str, str]]:
    if fields.get("modalities") not in (None, [], ["text"]):
        yield ("modalities", _AUDIO[1])
    elif has_audio or fields.get("audio") is not None:
        yield _AUDIO
    if fields.get("prediction") is not None:
        yield ("prediction", "is billed as output where it is wrong, beyond any limit")


def _content_of(messages: Json) -> tuple[Content, bool]:
    """What the messages bring, and whether they bring sound."""
    if not isinstance(messages, list):
        return Content(items=0, missing="messages"), False
    parts = [part for message in messages for part in _parts(message)]
    images = [_url(part) for part in parts if part.get("type") == "image_url"]
    unread = (place for place, one in enumerate(messages) if not _is_readable(one))
    missing = next((f"messages[{place}]" for place in unread), None)
    content = Content(
        items=len(messages),
        images=len(images),
        image_bytes=sum(len(url) for url in images if url.startswith("data:")),
        missing=missing,
    )
    return content, any(part.get("type") == "input_audio" for part in parts)


def _parts(message: Json) -> Iterator[dict[str, Json]]:
    content = message.get("content") if isinstance(message, dict) else None
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict):
            yield part


def _url(part: dict[str, Json]) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else None
    return url if isinstance(url, str) else ""


def _is_readable(message: Json) -> bool:
    """Whether a message is text and images alone."""
    if not isinstance(message, dict) or message.keys() - _TEXT_FIELDS:
        return False
    content = message.get("content")
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list) and all(
        isinstance(part, dict) and (part.get("type") == "image_url" or _is_text(part.get("type")))
        for part in content
    )


def _is_text(kind: Json) -> bool:
    return isinstance(kind, str) and kind in _TEXT_PARTS
