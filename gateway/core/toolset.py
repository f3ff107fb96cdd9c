"""Every tool that a request brings, wherever it stands. Not here: which are allowed.

Tools are listed in `tools`, nested in a namespace, loaded by input items that carry definitions,
and named by `tool_choice`. A list that cannot be read is told too: it may be read elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.strict import Json

# What the client runs itself: nothing of it happens upstream.
CLIENT_TOOLS = frozenset({"function", "custom"})
_CLIENT_TOOLS = tuple(CLIENT_TOOLS)  # to look for what may not be hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool and its place. `kind` is None where there is none to read."""

    place: str
    kind: str | None
    fields: dict[str, Json]


def tools_of(fields: dict[str, Json]) -> Iterator[Tool]:
    """The tools of a request body, outer before inner."""
    if fields.get("tools") is not None:
        yield from _listed(fields["tools"], "tools")
    choice = fields.get("tool_choice")
    if isinstance(choice, dict):
        yield from _chosen(choice)
    items = fields.get("input")
    if isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict) and item.get("tools") is not None:
                yield from _listed(item["tools"], f"input[{index}].tools")


def hosted_and_own(fields: dict[str, Json]) -> tuple[tuple[str, ...], int]:
    """The kinds of tools that may run upstream, sorted, and how many the client runs itself.

    A kind that cannot be read is the empty string. A namespace is no tool, only the place of some.
    """
    tools = fields.get("tools")
    items = fields.get("input")
    # Nearly all requests end here, at a fraction of the cost of looking everywhere.
    if (
        (tools is None or (isinstance(tools, list) and all(map(_is_plain, tools))))
        and not isinstance(fields.get("tool_choice"), dict)
        and not (isinstance(items, list) and any(map(_has_tools, items)))
    ):
        return (), len(tools) if tools else 0
    found = [tool for tool in tools_of(fields) if not _is_namespace(tool)]
    hosted = {tool.kind or "" for tool in found if tool.kind not in CLIENT_TOOLS}
    return tuple(sorted(hosted)), sum(tool.kind in CLIENT_TOOLS for tool in found)


def _is_namespace(tool: Tool) -> bool:
    return tool.kind == "namespace" and isinstance(tool.fields.get("tools"), list)


def _is_plain(tool: Json) -> bool:
    return isinstance(tool, dict) and tool.get("type") in _CLIENT_TOOLS and "tools" not in tool


def _has_tools(item: Json) -> bool:
    return isinstance(item, dict) and "tools" in item


def _chosen(choice: dict[str, Json]) -> Iterator[Tool]:
    if choice.get("type") == "allowed_tools":
        if choice.get("tools") is not None:
            yield from _listed(choice["tools"], "tool_choice.tools")
    else:
        yield from _read(choice, "tool_choice")


def _listed(tools: Json, place: str) -> Iterator[Tool]:
    if not isinstance(tools, list):
        yield Tool(place=place, kind=None, fields={})
        return
    for index, tool in enumerate(tools):
        yield from _read(tool, f"{place}[{index}]")


def _read(tool: Json, place: str) -> Iterator[Tool]:
    if not isinstance(tool, dict):
        yield Tool(place=place, kind=None, fields={})
        return
    kind = tool.get("type")
    yield Tool(place=place, kind=kind if isinstance(kind, str) else None, fields=tool)
    if tool.get("tools") is not None:
        yield from _listed(tool["tools"], f"{place}.tools")
