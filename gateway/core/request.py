"""The fields of a request body that we read. All others pass untouched, as do the bytes themselves.

Not here: whether a request may be made (policy) or what it may cost (bound).
"""

from dataclasses import dataclass, field

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.core.strict import Json, refuse_look_alikes, strict_object
from gateway.core.toolset import has_hosted_tools

NAME_CHARACTERS_MAX = 256  # of a model or a tier: both are written to the ledger

# What the upstream reads as the text it is: their bytes bound their tokens.
_TEXT_ITEMS = frozenset({
    "message", "function_call", "function_call_output", "custom_tool_call",
    "custom_tool_call_output",
})  # fmt: skip
_TEXT_PARTS = frozenset({"input_text", "output_text", "refusal", "reasoning_text", "summary_text"})
# What refers to input that is kept elsewhere, or has the upstream read its input once more.
_REFERENCES = ("previous_response_id", "conversation", "prompt", "context_management")

# What rules read or write: no other name may look like one of these.
RULED = frozenset({
    "model", "input", "stream", "background", "store", "service_tier", "max_output_tokens",
    "max_tool_calls", "tools", "tool_choice", *_REFERENCES,
})  # fmt: skip
# The other names of the API, which need no second look.
_FAMILIAR = RULED | {
    "access_programs", "background_options", "include", "instructions", "metadata", "moderation",
    "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "reasoning", "safety_identifier", "stream_options", "temperature", "text", "top_logprobs",
    "top_p", "truncation", "user",
}  # fmt: skip

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """What the gateway needs to know of `POST /v1/responses`.

    `is_input_unknown`: the body refers to input that it does not carry as text (an earlier
    response, a conversation, a prompt template, files, images), or has it compacted on the way:
    its bytes do not bound its tokens.
    """

    model: str
    is_stream: bool
    is_background: bool
    is_stored: bool | None  # None: not said, which the API takes as true
    service_tier: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    is_input_unknown: bool
    has_hosted_tools: bool
    body_bytes: int
    fields: dict[str, Json] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, body: bytes) -> "ResponseRequest":
        """Read a body. Raises InvalidRequest naming the field that cannot be read."""
        fields = strict_object(body)
        if unfamiliar := fields.keys() - _FAMILIAR:
            refuse_look_alikes(sorted(unfamiliar), RULED)
        return cls._of(fields, len(body))

    def rewritten(self, changes: dict[str, Json]) -> tuple["ResponseRequest", bytes]:
        """The request with some of its fields set, and its body: all others keep their values."""
        fields = {**self.fields, **changes}
        body = _encode(fields)
        return self._of(fields, len(body)), body

    @classmethod
    def _of(cls, fields: dict[str, Json], body_bytes: int) -> "ResponseRequest":
        model = _name(fields, "model")
        if not model:
            raise InvalidRequest(
                "The field 'model' is required: the gateway prices a request by its model.",
                code="missing_required_parameter",
                param="model",
            )
        return cls(
            model=model,
            is_stream=_flag(fields, "stream"),
            is_background=_flag(fields, "background"),
            is_stored=_flag(fields, "store") if fields.get("store") is not None else None,
            service_tier=_name(fields, "service_tier"),
            max_output_tokens=_count(fields, "max_output_tokens"),
            max_tool_calls=_count(fields, "max_tool_calls"),
            is_input_unknown=_is_input_unknown(fields),
            # A prompt template may bring tools that the body does not show.
            has_hosted_tools=fields.get("prompt") is not None or has_hosted_tools(fields),
            body_bytes=body_bytes,
            fields=fields,
        )


def _name(fields: dict[str, Json], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _invalid_type(name, "a string")
    # A database may refuse a NUL, and with it every request that is written beside this one.
    if len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        raise InvalidRequest(
            f"The field '{name}' must be at most {NAME_CHARACTERS_MAX} printable characters.",
            code="invalid_value",
            param=name,
        )
    return value


def _flag(fields: dict[str, Json], name: str) -> bool:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _invalid_type(name, "true or false")


def _count(fields: dict[str, Json], name: str) -> int | None:
    value = fields.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise _invalid_type(name, "a whole number of at least 0")


def _invalid_type(name: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"The field '{name}' must be {wanted}.", code="invalid_type", param=name)


def _type(value: Json) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def _is_input_unknown(fields: dict[str, Json]) -> bool:
    if any(fields.get(name) is not None for name in _REFERENCES):
        return True
    value = fields.get("input")
    if value is None or isinstance(value, str):
        return False
    return not (isinstance(value, list) and all(_is_text_item(item) for item in value))


def _is_text_item(item: Json) -> bool:
    if not isinstance(item, dict):
        return False
    kind = _type(item)
    if kind == "reasoning":
        # One that does not carry its content is looked up by its id.
        return isinstance(item.get("encrypted_content"), str)
    if kind is None:
        # Without a type it is a message when someone says it, and else refers to a kept item.
        return "role" in item and "type" not in item and _is_text(item.get("content"))
    return kind in _TEXT_ITEMS and all(_is_text(item.get(name)) for name in ("content", "output"))


def _is_text(content: Json) -> bool:
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list) and all(_type(part) in _TEXT_PARTS for part in content)
