"""Facts of a document in memory: in one go where it is as the API usually writes it.

A usual response is decoded once, into the very values that are wanted. Whatever is unusual in it
(tools that cost, counts that contradict each other, a value of another kind) leaves all of it to
the careful reading in `facts`, which comes to the same where both can read.
"""

from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.core.facts import NO_USE, Facts, facts_from, skim, value_in, word_of
from gateway.core.skim import KEPT_BYTES_MAX
from gateway.core.skimmed import NAME_BYTES_MAX
from gateway.core.tool_use import NO_TOOLS, SPECIAL, ToolUse
from gateway.core.usage import COUNT_MAX, Usage, UsageInvalid

ITEMS_MAX = 64  # with more of them it is not usual
_Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)] | None


class _Unusual(ValueError):
    """Something for the careful reading."""


class _Given(Struct):
    cached_tokens: _Count = None
    cache_write_tokens: _Count = None
    cache_write_tokens_details: None = None
    cached_tokens_details: None = None
    audio_tokens: None = None
    image_tokens: None = None


class _Made(Struct):
    reasoning_tokens: _Count = None
    audio_tokens: None = None
    image_tokens: None = None


class _Usage(Struct):
    input_tokens: Annotated[int, Meta(ge=0, le=COUNT_MAX)]
    output_tokens: Annotated[int, Meta(ge=0, le=COUNT_MAX)]
    input_tokens_details: _Given | None = None
    output_tokens_details: _Made | None = None
    total_tokens: _Count = None


class _Item(Struct):
    id: Raw = Raw()
    type: Raw = Raw()
    container_id: None = None
    action: None = None
    environment: None = None


class _Details(Struct):
    reason: str | None = None


class _Response(Struct):
    id: str | None = None
    object: str | None = None
    status: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: _Usage | None = None
    tool_usage: Raw = Raw()
    error: None = None
    incomplete_details: _Details | None = None
    output: list[_Item] | None = None


class _Event(Struct):
    type: str | None = None
    error: None = None
    code: None = None
    response: _Response | None = None


_decode_body = msgspec.json.Decoder(_Response).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def facts_in(document: bytes, *, is_event: bool) -> Facts | None:
    """The facts in an event's data or a body; None when it cannot be read."""
    if len(document) <= KEPT_BYTES_MAX:  # then no value in it is too large to be kept
        try:
            if not document.isascii():
                document.decode()  # names are not decoded below: one that is no text is no name
            return _plain_event(document) if is_event else _facts(None, _decode_body(document))
        except (ValueError, RecursionError):
            pass
    found = skim(document, is_event=is_event)
    return facts_from(found, is_event=is_event) if found else None


def _plain_event(document: bytes) -> Facts:
    event = _decode_event(document)
    if event.response is None:
        raise _Unusual
    return _facts(event.type, event.response)


def _facts(kind: str | None, response: _Response) -> Facts:
    output = response.output or []
    details = response.incomplete_details
    return Facts(
        type=kind or None,
        object=response.object or None,
        response_id=response.id or None,
        status=response.status or None,
        model=response.model or None,
        service_tier=response.service_tier or None,
        usage=None if response.usage is None else _usage(response.usage),
        tools=_tools(output, response.tool_usage),
        reason=(details.reason or None) if details else None,
        has_output=bool(output),
        item_ids=tuple([name for item in output if (name := _name(bytes(item.id)))]),
    )


def _usage(said: _Usage) -> Usage:
    """Raises ValueError where the counts contradict each other."""
    if said.total_tokens not in (None, said.input_tokens + said.output_tokens):
        raise _Unusual
    given, made = said.input_tokens_details, said.output_tokens_details
    try:
        return Usage(
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cached_tokens=(given.cached_tokens or 0) if given else 0,
            cache_write_tokens=(given.cache_write_tokens or 0) if given else 0,
            reasoning_tokens=(made.reasoning_tokens or 0) if made else 0,
        )
    except UsageInvalid:
        raise _Unusual from None


def _tools(output: list[_Item], told: Raw) -> ToolUse:
    if len(output) > ITEMS_MAX or not NO_USE.fullmatch(told):
        raise _Unusual
    by_type: dict[str, int] = {}
    for item in output:
        kind = _type(bytes(item.type))
        if kind:
            by_type[kind] = by_type.get(kind, 0) + 1
    return ToolUse(items=by_type) if by_type else NO_TOOLS


@lru_cache(maxsize=64)
def _type(raw: bytes) -> str:
    kind = _name(raw)
    if kind in SPECIAL:
        raise _Unusual
    return kind


def _name(raw: bytes) -> str:
    if len(raw) > NAME_BYTES_MAX:
        raise _Unusual
    return word_of(value_in(raw)) or ""
