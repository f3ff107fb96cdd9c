"""The fields of a request body that we read. All others pass untouched, as do the bytes themselves.

Not here: whether a request may be made (policy) or what it may cost (bound).
"""

import re
from dataclasses import dataclass, field

import msgspec

from gateway.core.content import Content, content_of
from gateway.core.errors import InvalidRequest
from gateway.core.strict import Json, refuse_look_alikes, strict_object
from gateway.core.toolset import hosted_and_own

NAME_CHARACTERS_MAX = 256  # of a model or a tier: both are written to the ledger

# What rules read or write: no other name may look like one of these.
RULED = frozenset({
    "model", "input", "stream", "background", "store", "service_tier", "max_output_tokens",
    "max_tool_calls", "tools", "tool_choice", "previous_response_id", "conversation", "prompt",
    "context_management",
})  # fmt: skip
# The other names of the API, which need no second look.
_FAMILIAR = RULED | {
    "access_programs", "background_options", "image", "include", "instructions", "metadata",
    "moderation", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning", "safety_identifier", "stream_options", "temperature",
    "text", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip

# The only lifetime of a cache write with a price of its own. It may be said of the whole prompt or
# of a part, so it is looked for everywhere: what is in quotes inside a text has a backslash.
_TWELVE_HOURS = b'"12h"'
_ESCAPED = re.compile(rb"\\u00(?:31|32|68)")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """What the gateway needs to know of `POST /v1/responses`."""

    model: str
    is_stream: bool
    is_background: bool
    is_stored: bool | None  # None: not said, which the API takes as true
    service_tier: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    previous_response_id: str | None
    content: Content
    hosted_tools: tuple[str, ...]  # the kinds that may run upstream, each once
    own_tools: int  # that the client runs itself
    may_keep_12h: bool  # whether it may ask for the dearer writes to the prompt cache
    unfamiliar: frozenset[str]  # names that the API did not have when this was written
    body_bytes: int
    fields: dict[str, Json] = field(repr=False, compare=False)

    @property
    def has_hosted_tools(self) -> bool:
        """Whether a tool may run upstream. A prompt template may bring some, which nobody sees."""
        return bool(self.hosted_tools) or self.fields.get("prompt") is not None

    @property
    def keeps_history(self) -> bool:
        """Whether it reads all that came before it, in the way that its model always does.

        If not, or if the request before it did not, then what that one read and wrote is no bound:
        what was left out then may come back.
        """
        reasoning = self.fields.get("reasoning")
        is_cut = self.fields.get("truncation") not in (None, "disabled")
        is_chosen = isinstance(reasoning, dict) and reasoning.get("context") is not None
        return not is_cut and not is_chosen

    @classmethod
    def parse(cls, body: bytes) -> "ResponseRequest":
        """Read a body. Raises InvalidRequest naming the field that cannot be read."""
        fields = strict_object(body)
        unfamiliar = fields.keys() - _FAMILIAR
        if unfamiliar:
            refuse_look_alikes(sorted(unfamiliar), RULED)
        return cls._of(fields, body, frozenset(unfamiliar))

    def rewritten(self, changes: dict[str, Json]) -> tuple["ResponseRequest", bytes]:
        """The request with some of its fields set, and its body: all others keep their values."""
        fields = {**self.fields, **changes}
        body = _encode(fields)
        return self._of(fields, body, self.unfamiliar), body

    @classmethod
    def _of(
        cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]
    ) -> "ResponseRequest":
        model = _name(fields, "model")
        if not model:
            raise InvalidRequest(
                "The field 'model' is required: the gateway prices a request by its model.",
                code="missing_required_parameter",
                param="model",
            )
        previous = fields.get("previous_response_id")
        hosted_tools, own_tools = hosted_and_own(fields)
        return cls(
            model=model,
            is_stream=_flag(fields, "stream"),
            is_background=_flag(fields, "background"),
            is_stored=_flag(fields, "store") if fields.get("store") is not None else None,
            service_tier=_name(fields, "service_tier"),
            max_output_tokens=_count(fields, "max_output_tokens"),
            max_tool_calls=_count(fields, "max_tool_calls"),
            # What is no id cannot be found, so it is as unknown as one that was not found.
            previous_response_id=None if previous is None else str(previous),
            content=content_of(fields),
            hosted_tools=hosted_tools,
            own_tools=own_tools,
            may_keep_12h=_TWELVE_HOURS in body or _may_be_escaped(body),
            unfamiliar=unfamiliar,
            body_bytes=len(body),
            fields=fields,
        )


def _may_be_escaped(body: bytes) -> bool:
    """Whether `"12h"` may stand there in escapes, as JSON allows for any character."""
    return b"\\u00" in body and _ESCAPED.search(body) is not None


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
