"""What the hosted tools of one response did, as far as it costs: read from what it says of itself.

`tool_usage` counts first; where it is absent the output items tell, and the tools that the response
repeats tell their kind, size and model. Not here: what any of it costs (`fees`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct

from gateway.core.usage import Modalities, Usage, UsageInvalid, count_of, part_of

SEARCHES = frozenset({
    "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
})  # fmt: skip
UNKNOWN = ""  # the size of a container, or the model of an image, that nothing tells
_MEMORY_DEFAULT = "1g"
IMAGE_TOOL = "image_generation"


class Item(NamedTuple):
    """An output item; each part is empty where it has none. The order is that of the walk."""

    type: str
    status: str = ""
    container_id: str = ""
    action: str = ""
    action_type: str = ""
    environment: str = ""
    environment_type: str = ""
    environment_container_id: str = ""


class Tool(NamedTuple):
    """A tool as the response repeats it. The order is that of the walk."""

    type: str
    model: str = ""
    output_format: str = ""
    container: str = ""  # the id of one that was there before
    memory: str = ""
    environment: str = ""
    environment_type: str = ""
    environment_memory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUse:
    """Tokens of the image tool, and the models that may have used them; `UNKNOWN` is the default.

    `usage` is None where something was counted that cannot be read.
    """

    models: tuple[str, ...]
    usage: Usage | None


class ToolUse(Struct, frozen=True, kw_only=True):
    """Hosted-tool work of one response.

    `web_searches` is the number of billable searches: `tool_usage.web_search.num_requests`, or the
    searches among the output items where that is absent. `search_tools` are the tools that may have
    made them. `items` counts output items by type, less those that failed or ran at the client's.
    `containers` counts those that were used, by memory.
    """

    web_searches: int = 0
    search_tools: frozenset[str] = frozenset()
    items: dict[str, int] = {}
    containers: dict[str, int] = {}
    images: ImageUse | None = None


NO_TOOLS = ToolUse()
# Items whose cost is told by the tools that the response repeats.
TOLD_BY_TOOLS = frozenset({
    "web_search_call", "code_interpreter_call", "shell_call", "image_generation_call",
})  # fmt: skip
# Those, and items that cost something by themselves, or nothing.
SPECIAL = TOLD_BY_TOOLS | {"file_search_call"}
_CONTAINER_CALLS = {"code_interpreter_call": "code_interpreter", "shell_call": "shell"}


def tool_use_from(
    tool_usage: object, items: Mapping[Item, int], tools: tuple[Tool, ...]
) -> ToolUse:
    """Hosted-tool work, from `tool_usage` as decoded, the output items and the tools repeated."""
    if tool_usage is None and not tools:
        by_type = {item.type: count for item, count in items.items() if item.type}
        if len(by_type) == len(items) and not by_type.keys() & SPECIAL:
            return ToolUse(items=by_type)  # most responses end here
    by_type = {}
    for item, count in items.items():
        if item.type and not _is_free(item, tools):
            by_type[item.type] = by_type.get(item.type, 0) + count
    return ToolUse(
        web_searches=_billed_searches(tool_usage, items),
        search_tools=frozenset([tool.type for tool in tools if tool.type in SEARCHES]),
        items=by_type,
        containers=_containers(items, tools) if by_type.keys() & _CONTAINER_CALLS else {},
        images=_images(tool_usage, tools),
    )


def _is_free(item: Item, tools: tuple[Tool, ...]) -> bool:
    if item.type == "shell_call":
        return item.environment_type == "local" or (
            not item.environment_type and _told(tools, "shell") == {"local"}
        )
    return item.status == "failed" and item.type == "file_search_call"


def _told(tools: tuple[Tool, ...], kind: str) -> set[str]:
    return {tool.environment_type for tool in tools if tool.type == kind}


def _billed_searches(tool_usage: object, items: Mapping[Item, int]) -> int:
    try:
        billed = part_of(part_of(tool_usage).get("web_search")).get("num_requests")
        if billed is not None:
            return count_of(billed)
    except UsageInvalid:
        pass  # what cannot be read is as good as absent: the items still tell
    return sum(
        count
        for item, count in items.items()
        if item.type == "web_search_call"
        and item.action_type in ("search", "")
        and item.status != "failed"
    )


def _containers(items: Mapping[Item, int], tools: tuple[Tool, ...]) -> dict[str, int]:
    """How many containers of each size were used: calls that name the same one share it."""
    used = {
        (item.container_id or item.environment_container_id, _CONTAINER_CALLS[item.type])
        for item in items
        if item.type in _CONTAINER_CALLS and not _is_free(item, tools)
    }
    found: dict[str, int] = {}
    for _, kind in used:
        memory = _memory(kind, tools)
        found[memory] = found.get(memory, 0) + 1
    return found


def _memory(kind: str, tools: tuple[Tool, ...]) -> str:
    """The size of the containers that a kind of tool makes; unknown for one that was there."""
    sizes = {_size(tool) for tool in tools if tool.type == kind}
    return sizes.pop() if len(sizes) == 1 else UNKNOWN


def _size(tool: Tool) -> str:
    if tool.type == "code_interpreter":
        return UNKNOWN if tool.container else tool.memory or _MEMORY_DEFAULT
    is_made = tool.environment_type == "container_auto"
    return tool.environment_memory or _MEMORY_DEFAULT if is_made else UNKNOWN


def _images(tool_usage: object, tools: tuple[Tool, ...]) -> ImageUse | None:
    try:
        counts = part_of(part_of(tool_usage).get("image_gen"))
        names = ("input_tokens", "output_tokens", "total_tokens")
        if not any(count_of(counts.get(name)) for name in names):
            return None
        usage = _image_usage(counts)
    except UsageInvalid:
        usage = None  # something is there: an unknown cost must not pass for none
    drawing = [tool for tool in tools if tool.type == IMAGE_TOOL]
    if any(tool.output_format == "svg" for tool in drawing):
        usage = None  # another model writes it, whose tokens are not told
    return ImageUse(models=tuple(sorted({tool.model for tool in drawing})), usage=usage)


def _image_usage(counts: Mapping[str, object]) -> Usage:
    """Raises UsageInvalid where the counts do not tell text from images."""
    given = part_of(counts.get("input_tokens_details"))
    made = counts.get("output_tokens_details")
    kept = part_of(counts.get("cached_tokens_details"))
    read, written = count_of(counts.get("input_tokens")), count_of(counts.get("output_tokens"))
    seen, told = count_of(given.get("image_tokens")), count_of(given.get("text_tokens"))
    cached, cached_images = (
        count_of(counts.get("cached_tokens")),
        count_of(kept.get("cached_image_tokens")),
    )
    if seen + told != read or cached != cached_images + count_of(kept.get("cached_text_tokens")):
        raise UsageInvalid("the parts of the image tool's tokens are not their sum")
    # Where the parts of the output are not told, an image is what the tool makes.
    drawn = written if made is None else count_of(part_of(made).get("image_tokens"))
    return Usage(
        input_tokens=read,
        cached_tokens=cached,
        output_tokens=written,
        modalities=Modalities(image=seen, image_cached=cached_images, image_output=drawn),
    )
