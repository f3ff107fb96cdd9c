"""What a response says of itself: the values that matter in a terminal event or a whole body.

Here: which paths are looked for, how a document in memory is read, and what the values mean. Not
here: documents that pass in pieces (`skim`), or when a stream has ended (`observer`).
"""

import re
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from gateway.core.elements import elements, is_a, item_node, object_node, take_items, tool_node
from gateway.core.paths import Node
from gateway.core.skim import KEPT_BYTES_MAX, UNREADABLE, Skimmer
from gateway.core.skimmed import Skimmed
from gateway.core.tool_use import NO_TOOLS, TOLD_BY_TOOLS, Item, Tool, ToolUse, tool_use_from
from gateway.core.usage import Usage, UsageInvalid, usage_from


class Facts(Struct, frozen=True, kw_only=True):
    """One response, or an error in its place, as far as it could be read."""

    type: str | None = None  # of the event
    object: str | None = None
    response_id: str | None = None
    status: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    is_usage_invalid: bool = False
    tools: ToolUse = NO_TOOLS
    reason: str | None = None
    has_output: bool = False
    item_ids: tuple[str, ...] = ()
    container_ids: tuple[str, ...] = ()  # that tools ran in, who may not have been asked for


class _Response(Struct):
    id: Raw = Raw()
    object: Raw = Raw()
    status: Raw = Raw()
    model: Raw = Raw()
    service_tier: Raw = Raw()
    usage: Raw = Raw()
    tool_usage: Raw = Raw()
    error: Raw = Raw()
    incomplete_details: Raw = Raw()
    output: Raw = Raw()
    tools: Raw = Raw()


class _Event(Struct):
    type: Raw = Raw()
    error: Raw = Raw()
    code: Raw = Raw()
    response: Raw = Raw()


class _Typed(Struct):
    type: str | None = None


class _Identified(Struct):
    id: str | None = None


class _Opening(Struct):
    response: _Identified | None = None


_EVENT_LEAVES = ("type", "error", "code")
_ARRAYS = ("output", "tools")
_RESPONSE_LEAVES = tuple(name for name in _Response.__struct_fields__ if name not in _ARRAYS)
_decode = msgspec.json.Decoder().decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_typed = msgspec.json.Decoder(_Typed).decode
_decode_opening = msgspec.json.Decoder(_Opening).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_NULL = b"null"
NO_USE = re.compile(rb'(?:[\s{},0]|null|"\w+"\s*:)*')  # nothing but zeros


def skim(document: bytes, *, is_event: bool) -> Skimmed | None:
    """The values in `document`, an event's data or a body; None when it cannot be read.

    What the strict decoder refuses is walked instead: half a surrogate pair in an echoed text, or
    a deep schema, must not cost the usage beside it.
    """
    found = Skimmed()
    try:
        if is_event:
            event = _decode_event(document)
            _take(found, event, _EVENT_LEAVES, "")
            if is_a(event.response, b"{"):
                _take_response(found, _decode_response(event.response), "response.")
        else:
            _take_response(found, _decode_response(document), "")
    except (ValueError, RecursionError):
        skimmer = Skimmer(EVENT if is_event else BODY)
        skimmer.feed(document)
        return skimmer.end()
    return found


def type_in(data: bytes) -> str | None:
    """The event's type, where nothing else is wanted of it."""
    try:
        return _decode_typed(data).type
    except (ValueError, RecursionError):
        found = skim(data, is_event=True)
        return _text(found, "type") if found else None


def response_id_in(data: bytes) -> str | None:
    """The response's id, where nothing else is wanted of the event."""
    try:
        response = _decode_opening(data).response
        return response.id if response else None
    except (ValueError, RecursionError):
        found = skim(data, is_event=True)
        return _text(found, "response.id") if found else None


def facts_from(found: Skimmed, *, is_event: bool) -> Facts:
    prefix = "response." if is_event else ""
    usage, is_invalid = _usage(found.values.get(f"{prefix}usage"))
    return Facts(
        type=_text(found, "type"),
        object=_text(found, f"{prefix}object"),
        response_id=_text(found, f"{prefix}id"),
        status=_text(found, f"{prefix}status"),
        model=_text(found, f"{prefix}model"),
        service_tier=_text(found, f"{prefix}service_tier"),
        usage=usage,
        is_usage_invalid=is_invalid,
        tools=_tools(found, prefix),
        reason=_reason(found, prefix),
        has_output=f"{prefix}output" in found.items,
        item_ids=_texts(found.names),
        container_ids=_texts(found.containers),
    )


def _usage(raw: bytes | None) -> tuple[Usage | None, bool]:
    try:
        return (None if raw is None else usage_from(_decode(raw))), False
    except (UsageInvalid, ValueError, RecursionError):
        return None, True


def _tools(found: Skimmed, prefix: str) -> ToolUse:
    items: dict[Item, int] = {}
    is_plain = True
    for element, count in found.items.get(f"{prefix}output", {}).items():
        item = _item(element)
        items[item] = items.get(item, 0) + count
        is_plain = is_plain and item.type not in TOLD_BY_TOOLS
    told = found.values.get(f"{prefix}tool_usage", b"")
    if is_plain and NO_USE.fullmatch(told):
        return tool_use_from(None, items, ())
    given = elements(found, f"{prefix}tools")
    tools = tuple([Tool(*map(_word, element)) for element in given])
    return tool_use_from(value_in(told), items, tools)


@lru_cache(maxsize=256)
def _item(element: tuple[bytes, ...]) -> Item:
    return Item(*map(_word, element))


def _word(raw: bytes) -> str:
    return (word_of(value_in(raw)) or "") if raw else ""


def _reason(found: Skimmed, prefix: str) -> str | None:
    """Why it ended as it did: cut short, else the response's error, else the event's own."""
    raw = found.values.get(f"{prefix}incomplete_details", b"")
    details = None if raw == _NULL else value_in(raw)
    reason = word_of(details.get("reason")) if isinstance(details, dict) else None
    return (
        reason
        or _error_code(found.values.get(f"{prefix}error", b""))
        or _error_code(found.values.get("error", b""))
        or _text(found, "code")
    )


def _error_code(raw: bytes) -> str | None:
    error = None if raw == _NULL else value_in(raw)
    if not isinstance(error, dict):
        return None
    return word_of(error.get("code")) or word_of(error.get("type"))


def _texts(raws: list[bytes]) -> tuple[str, ...]:
    return tuple(text for raw in raws if (text := word_of(value_in(raw))))


def _text(found: Skimmed, path: str) -> str | None:
    raw = found.values.get(path)
    return None if raw is None or raw == _NULL else word_of(value_in(raw))


def word_of(value: object) -> str | None:
    """A text that says something, or None."""
    return value if isinstance(value, str) and value else None


def value_in(raw: bytes) -> object:
    """Decoded; None when it is absent, null or unreadable."""
    try:
        return _decode(raw) if raw else None
    except (ValueError, RecursionError):
        return None


def _take(found: Skimmed, struct: Struct, names: tuple[str, ...], prefix: str) -> None:
    for name in names:
        value = bytes(getattr(struct, name))
        if value:
            found.values[prefix + name] = value if len(value) <= KEPT_BYTES_MAX else UNREADABLE


def _take_response(found: Skimmed, response: _Response, prefix: str) -> None:
    _take(found, response, _RESPONSE_LEAVES, prefix)
    if is_a(response.output, b"["):
        take_items(found, f"{prefix}output", response.output)
    if is_a(response.tools, b"["):
        found.later[f"{prefix}tools"] = memoryview(response.tools)


def _response_node(path: str) -> Node:
    prefix = f"{path}." if path else ""
    return object_node(
        path,
        _RESPONSE_LEAVES,
        output=Node(f"{prefix}output", element=item_node(f"{prefix}output[]")),
        tools=Node(f"{prefix}tools", element=tool_node(f"{prefix}tools[]")),
    )


BODY = _response_node("")
EVENT = object_node("", _EVENT_LEAVES, response=_response_node("response"))
