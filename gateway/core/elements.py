"""A response's output items and tools, as elements of arrays: which values of each are read.

Here: how an array in memory is read, as the walk would read it. Not here: documents that pass in
pieces (`skim`), or what the values mean (`tool_use`).
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.core.paths import Node
from gateway.core.skim import KEPT_BYTES_MAX, UNREADABLE
from gateway.core.skimmed import Skimmed


class _Item(Struct):
    id: Raw = Raw()
    type: Raw = Raw()
    status: Raw = Raw()
    container_id: Raw = Raw()
    action: Raw = Raw()
    environment: Raw = Raw()


_decode_elements = msgspec.json.Decoder(list[Raw]).decode
_decode_items = msgspec.json.Decoder(list[_Item]).decode


def take_items(found: Skimmed, array: str, raw: Raw) -> None:
    """Plain items are read at once; where one is not, all are read like any element."""
    try:
        items = _decode_items(raw)
    except msgspec.ValidationError:
        items = []  # one is no object
    if items and all(map(_is_plain, items)):
        for item in items:
            container = bytes(item.container_id)
            found.name(array, bytes(item.id), container)
            found.count(array, (bytes(item.type), bytes(item.status), container, *_NO_INNER))
        return
    for each in _decode_elements(raw):
        _take_element(found, array, each, _ELEMENTS["output"])


def _is_plain(item: _Item) -> bool:
    """Whether its own values are all that it has, and short."""
    long = len(item.id) + len(item.type) + len(item.status) + len(item.container_id)
    return not item.action and not item.environment and long < KEPT_BYTES_MAX


def _take_element(found: Skimmed, array: str, raw: Raw, element: Node) -> None:
    values = dict(_below(raw, element))
    if element.has_id:
        container = values[f"{element.path}.container_id"]
        elsewhere = values[f"{element.path}.environment.container_id"]
        found.name(array, values.pop(f"{element.path}.id"), container or elsewhere)
    found.count(array, tuple(values.values()))


def _below(raw: Raw, node: Node) -> Iterator[tuple[str, bytes]]:
    """The values of an element that the walk would keep, by place, in its order."""
    names = node.children or {}
    fields = _DECODE[node.path](raw) if is_a(raw, b"{") else None
    for name, child in names.items():
        value: Raw = getattr(fields, name, _ABSENT)
        if child.children is None:
            is_small = len(memoryview(value)) <= KEPT_BYTES_MAX
            yield child.path, bytes(value) if is_small else UNREADABLE
        else:
            is_whole = is_a(value, b"{") or is_a(value, b"[")
            yield child.path, b"" if is_whole else bytes(value)
            yield from _below(value, child)


def elements(found: Skimmed, array: str) -> dict[tuple[bytes, ...], int]:
    """The elements of an array that was left as it was until somebody needs them."""
    raw = found.later.pop(array, None)
    if raw is not None:
        for each in _decode_elements(raw):
            _take_element(found, array, each, _ELEMENTS["tools"])
    return found.items.get(array, {})


def is_a(raw: Raw, opening: bytes) -> bool:
    return memoryview(raw)[:1] == opening


def object_node(path: str, leaves: tuple[str, ...], **branches: Node) -> Node:
    prefix = f"{path}." if path else ""
    return Node(path, {**{name: Node(prefix + name) for name in leaves}, **branches})


def item_node(path: str) -> Node:
    """What is read of an output item, in the order of `Item`."""
    return object_node(
        path,
        ("id", "type", "status", "container_id"),
        action=object_node(f"{path}.action", ("type",)),
        environment=object_node(f"{path}.environment", ("type", "container_id")),
    )


def tool_node(path: str) -> Node:
    """What is read of a tool that the response repeats, in the order of `Tool`."""
    return object_node(
        path,
        ("type", "model", "output_format"),
        container=object_node(f"{path}.container", ("memory_limit",)),
        environment=object_node(f"{path}.environment", ("type", "memory_limit")),
    )


def _decoders(node: Node) -> Iterator[tuple[str, Callable[[Raw], Any]]]:
    if node.children is not None:
        fields = [(name, Raw, Raw()) for name in node.children]
        yield node.path, msgspec.json.Decoder(msgspec.defstruct("Fields", fields)).decode
        for child in node.children.values():
            yield from _decoders(child)


_ABSENT = Raw()
_NO_INNER = (b"",) * 5  # of an action and of an environment
_ELEMENTS = {"output": item_node("output[]"), "tools": tool_node("tools[]")}
_DECODE = dict(pair for element in _ELEMENTS.values() for pair in _decoders(element))
