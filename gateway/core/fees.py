"""What the work of hosted tools is priced at: a meter for each fee. Not here: what was done.

A tool that is not listed has an unknown price: a new one must not be free because nobody knew it.
"""

from collections.abc import Iterator, Mapping

from gateway.core.cost import Meter
from gateway.core.tool_use import ToolUse

WEB_SEARCH, WEB_SEARCH_PREVIEW = "web_search", "web_search_preview"
CONTAINER_SIZES = ("1g", "4g", "16g", "64g")
# By the call; a container by the minute.
TOOL_FEES = (
    WEB_SEARCH,
    WEB_SEARCH_PREVIEW,
    "file_search",
    *[f"container_{size}" for size in CONTAINER_SIZES],
)

# A container is paid by the minute and for five at least. No response tells its minutes, so this is
# what is known to be owed.
CONTAINER_MINUTES = 5

# Output items that cost their tokens, or have a meter of their own, and nothing more.
_FREE_ITEMS = frozenset({
    "message", "reasoning", "compaction", "function_call", "custom_tool_call", "computer_call",
    "local_shell_call", "apply_patch_call", "mcp_call", "mcp_list_tools", "mcp_approval_request",
    "web_search_call",  # its fee is a search's
    "file_search_call",
    "code_interpreter_call", "shell_call",  # their fee is their container's
})  # fmt: skip


def fee_of_search(tool: str) -> str:
    """The fee that a search tool has, by the tool's name."""
    return WEB_SEARCH_PREVIEW if tool.startswith(WEB_SEARCH_PREVIEW) else WEB_SEARCH


def fees(prices_pusd: Mapping[str, int], tools: ToolUse) -> Iterator[Meter]:
    """The meters of what tools did, at a card's fees; without a price where it has none."""
    if tools.web_searches:
        yield _searches(prices_pusd, tools)
    for item, count in tools.items.items():
        if item == "file_search_call":
            yield "file_search", count, prices_pusd.get("file_search")
        elif item == "image_generation_call":
            if tools.images is None:
                yield item, count, None
        # An output's price is its call's, which is an item of its own.
        elif item not in _FREE_ITEMS and not item.endswith("_call_output"):
            yield item, count, None
    for size, count in tools.containers.items():
        fee = f"container_{size if size in CONTAINER_SIZES else 'unknown'}"
        yield f"{fee}_minutes", count * CONTAINER_MINUTES, prices_pusd.get(fee)


def _searches(prices_pusd: Mapping[str, int], tools: ToolUse) -> Meter:
    """Where the tool is not told, the one fee that any kind of search has."""
    kinds = {fee_of_search(tool) for tool in tools.search_tools}
    kinds = kinds or {WEB_SEARCH, WEB_SEARCH_PREVIEW} & prices_pusd.keys()
    units = {prices_pusd.get(kind) for kind in kinds}
    name = kinds.pop() if len(kinds) == 1 else WEB_SEARCH
    return name, tools.web_searches, units.pop() if len(units) == 1 else None
