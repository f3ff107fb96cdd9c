"""The fields of a request body that we read. All others pass untouched, as do the bytes themselves.

`Request` is what policy and bound ask of any request that costs; `ResponseRequest` reads those of
the Responses API, other modules the others (`chat`, `embeddings`). Not here: whether a request may
be made (policy) or what it may cost (bound).
"""

import re
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Self

import msgspec
from msgspec import Struct

from gateway.core.content import Content, content_of
from gateway.core.errors import InvalidRequest
from gateway.core.strict import Json, refuse_look_alikes, strict_object
from gateway.core.toolset import Tool, hosted_and_own, tools_of

NAME_CHARACTERS_MAX = 256  # of a model or a tier: both are written to the ledger
WINDOW_CHARACTERS_MAX = 16

# What rules read or write: no other name may look like one of these.
RULED = frozenset({
    "model", "input", "stream", "background", "store", "service_tier", "max_output_tokens",
    "max_tool_calls", "tools", "tool_choice", "previous_response_id", "conversation", "prompt",
    "context_management",
})  # fmt: skip
# The other names of the API, which need no second look.
_FAMILIAR = RULED | {
    "access_programs", "background_options", "client_metadata", "image", "include",
    "instructions", "metadata", "moderation", "parallel_tool_calls", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
    "stream_options", "temperature", "text", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip

# The only lifetime of a cache write with a price of its own. It may be said of the whole prompt or
# of a part, so it is looked for everywhere: what is in quotes inside a text has a backslash.
_TWELVE_HOURS = b'"12h"'
_ESCAPED = re.compile(rb"\\u00(?:31|32|68)")

_encode = msgspec.json.Encoder().encode


# A struct, as one is made for each request, and a frozen dataclass takes far longer to make.
class Request(Struct, frozen=True, kw_only=True):
    """What the gateway needs to know of a request that costs, at whatever endpoint."""

    ruled: ClassVar[frozenset[str]]  # names that no other name may look like
    familiar: ClassVar[frozenset[str]]  # names that need no second look, the ruled among them
    takes_output_limit: ClassVar[bool] = True  # whether its output can be limited at all
    takes_tool_limit: ClassVar[bool] = False  # whether calls of tools can be limited
    output_tokens_min: ClassVar[int] = 1  # below it the API refuses a limit
    has_tiers: ClassVar[bool] = True  # whether the endpoint takes a service tier
    is_countable: ClassVar[bool] = False  # whether the upstream counts its input when asked

    model: str
    content: Content
    service_tier: str | None = None
    is_stream: bool = False
    is_background: bool = False
    is_stored: bool | None = None  # None: not said, which the API takes as true
    max_output_tokens: int | None = None  # of each choice
    output_field: str = "max_output_tokens"  # the name that this limit has, or would be given
    choices: int = 1  # answers that are written, each as long as the limit allows
    inputs: int = 1  # texts that are read each by itself, each as long as the model takes
    max_tool_calls: int | None = None
    previous_response_id: str | None = None
    hosted_tools: tuple[str, ...] = ()  # the kinds that may run upstream, each once
    own_tools: int = 0  # that the client runs itself
    may_keep_12h: bool = False  # whether it may ask for the dearer writes to the prompt cache
    limitless: tuple[tuple[str, str], ...] = ()  # fields that no limit bounds, each with its reason
    unfamiliar: frozenset[str]  # names that the API did not have when this was written
    body_bytes: int
    fields: dict[str, Json]

    def __repr__(self) -> str:
        """Without what its client wrote."""
        return f"{type(self).__name__}(model={self.model!r}, body_bytes={self.body_bytes})"

    @property
    def has_hosted_tools(self) -> bool:
        """Whether a tool may run upstream."""
        return bool(self.hosted_tools)

    @property
    def keeps_history(self) -> bool:
        """Whether it reads all that came before it, in the way that its model always does."""
        return True

    @property
    def window(self) -> str | None:
        """The completion window it asks for, which has prices of its own; None for the soonest."""
        return None

    def usage_asked(self) -> dict[str, Json]:
        """The fields to be set so that the answer tells what was used."""
        return {}

    def tools(self) -> Iterator[Tool]:
        """Every tool that it brings, wherever it stands."""
        return tools_of(self.fields)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body. Raises InvalidRequest naming the field that cannot be read."""
        fields = strict_object(body)
        unfamiliar = fields.keys() - cls.familiar
        if unfamiliar:
            refuse_look_alikes(sorted(unfamiliar), cls.ruled)
        return cls.of(fields, body, frozenset(unfamiliar))

    def rewritten(self, changes: dict[str, Json]) -> tuple[Self, bytes]:
        """The request with some of its fields set, and its body: all others keep their values."""
        fields = {**self.fields, **changes}
        body = _encode(fields)
        return self.of(fields, body, self.unfamiliar), body

    @classmethod
    @abstractmethod
    def of(cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]) -> Self:
        """The request that these fields are. Raises as `parse` does."""


class ResponseRequest(Request, frozen=True, kw_only=True):
    """What the gateway needs to know of `POST /v1/responses`."""

    ruled = RULED
    familiar = _FAMILIAR
    takes_tool_limit = True
    output_tokens_min = 16
    is_countable = True

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

    @property
    def window(self) -> str | None:
        """The completion window it asks for; the response does not repeat it."""
        options = self.fields.get("background_options")
        window = options.get("completion_window") if isinstance(options, dict) else None
        if window in (None, "soonest") or not self.is_background:
            return None
        return str(window)[:WINDOW_CHARACTERS_MAX]

    @classmethod
    def of(cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]) -> Self:
        """The request that these fields are."""
        previous = fields.get("previous_response_id")
        hosted_tools, own_tools = hosted_and_own(fields)
        return cls(
            model=model_in(fields),
            is_stream=flag_in(fields, "stream"),
            is_background=flag_in(fields, "background"),
            is_stored=flag_in(fields, "store") if fields.get("store") is not None else None,
            service_tier=name_in(fields, "service_tier"),
            max_output_tokens=count_in(fields, "max_output_tokens"),
            max_tool_calls=count_in(fields, "max_tool_calls"),
            # What is no id cannot be found, so it is as unknown as one that was not found.
            previous_response_id=None if previous is None else str(previous),
            content=content_of(fields),
            hosted_tools=hosted_tools,
            own_tools=own_tools,
            may_keep_12h=may_keep_12h(body),
            unfamiliar=unfamiliar,
            body_bytes=len(body),
            fields=fields,
        )


def may_keep_12h(body: bytes) -> bool:
    """Whether a body may ask for it: in escapes too, as JSON allows them for any character."""
    return _TWELVE_HOURS in body or (b"\\u00" in body and _ESCAPED.search(body) is not None)


def model_in(fields: dict[str, Json]) -> str:
    """The model. Raises InvalidRequest where there is none."""
    model = name_in(fields, "model")
    if model:
        return model
    raise InvalidRequest(
        "The field 'model' is required: the gateway prices a request by its model.",
        code="missing_required_parameter",
        param="model",
    )


def name_in(fields: dict[str, Json], name: str) -> str | None:
    """A word for the ledger, or None. Raises InvalidRequest where it is none."""
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


def flag_in(fields: dict[str, Json], name: str) -> bool:
    """True or false; false where it is not said. Raises InvalidRequest for any other value."""
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _invalid_type(name, "true or false")


def count_in(fields: dict[str, Json], name: str) -> int | None:
    """A whole number, or None. Raises InvalidRequest for any other value."""
    value = fields.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise _invalid_type(name, "a whole number of at least 0")


def _invalid_type(name: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"The field '{name}' must be {wanted}.", code="invalid_type", param=name)
