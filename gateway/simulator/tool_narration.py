"""Tells the output items of tools as the events in which the API streams them. Pure."""

from collections.abc import Callable, Iterator

from gateway.simulator.directive import JsonObject
from gateway.simulator.plan import Plan
from gateway.simulator.tools import IMAGE_BASE64, Item

FILLER = "\ue000"  # stands for the bulk of a huge event; `framing` writes the bulk in its place

Teller = Callable[[Item, JsonObject, Plan], Iterator[JsonObject]]

# How an item looks when it opens, where it is not as at its end.
OPENINGS: dict[str, JsonObject] = {
    "apply_patch_call": {"operation": {"type": "update_file", "diff": "", "path": "simulated.txt"}},
    "code_interpreter_call": {"code": "", "outputs": None},
    "compaction": {"encrypted_content": ""},
    "custom_tool_call": {"input": ""},
    "file_search_call": {"queries": [], "results": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "mcp_list_tools": {"tools": [], "error": None},
    "shell_call": {"action": {"commands": [], "max_output_length": None, "timeout_ms": None}},
    "shell_call_output": {"output": []},
    "web_search_call": {"action": {"type": "search"}},
}


def tell_tool(item: Item, index: int, plan: Plan) -> Iterator[JsonObject]:
    """Yield what comes between the item's opening and its end; not every kind has something."""
    place: JsonObject = {"item_id": item.final["id"], "output_index": index}
    tell = _TELLERS.get(item.final["type"])
    return iter(()) if tell is None else tell(item, place, plan)


def _steps(name: str, place: JsonObject, *steps: str) -> Iterator[JsonObject]:
    for step in steps:
        yield {"type": f"response.{name}.{step}", **place}


def _written(item: Item, name: str, field: str, place: JsonObject) -> Iterator[JsonObject]:
    """The deltas of what the model writes, and the whole of it."""
    for piece in item.pieces:
        yield {"type": f"response.{name}.delta", **place, "delta": piece}
    yield {"type": f"response.{name}.done", **place, field: "".join(item.pieces)}


def _web_search(_item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _steps("web_search_call", place, "in_progress", "searching", "completed")


def _file_search(_item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _steps("file_search_call", place, "in_progress", "searching", "completed")


def _code_interpreter(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    name = "code_interpreter_call"
    yield from _steps(name, place, "in_progress")
    yield from _written(item, "code_interpreter_call_code", "code", place)
    yield from _steps(name, place, "interpreting", "completed")


def _image(item: Item, place: JsonObject, plan: Plan) -> Iterator[JsonObject]:
    name = "image_generation_call"
    yield from _steps(name, place, "in_progress", "generating")
    looks: JsonObject = {
        field: item.final[field]
        for field in ("background", "output_format", "quality", "size")
        if field in item.final
    }
    for number in range(plan.partials):
        yield {
            "type": f"response.{name}.partial_image",
            **place,
            "partial_image_b64": _partial(item, plan),
            "partial_image_index": number,
            **looks,
        }
    yield from _steps(name, place, "completed")


def _partial(item: Item, plan: Plan) -> str:
    if item.final["result"]:
        return IMAGE_BASE64
    return FILLER if plan.huge_where == "delta" else ""


def _mcp_call(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _steps("mcp_call", place, "in_progress")
    yield from _written(item, "mcp_call_arguments", "arguments", place)
    yield from _steps("mcp_call", place, "failed" if item.final["error"] else "completed")


def _mcp_list(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    end = "failed" if "error" in item.final else "completed"
    yield from _steps("mcp_list_tools", place, "in_progress", end)


def _shell(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    name = "response.shell_call_command"
    at = {"command_index": 0, "output_index": place["output_index"]}  # they name no item
    yield {"type": f"{name}.added", **at, "command": ""}
    for piece in item.pieces:
        yield {"type": f"{name}.delta", **at, "delta": piece}
    yield {"type": f"{name}.done", **at, "command": "".join(item.pieces)}


def _shell_output(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    name = "response.shell_call_output_content"
    at = {"command_index": 0, **place}
    for piece in item.pieces:
        yield {"type": f"{name}.delta", **at, "delta": {"stdout": piece}}
    yield {"type": f"{name}.done", **at, "output": item.final["output"]}


def _custom_tool(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _written(item, "custom_tool_call_input", "input", place)


def _apply_patch(item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _written(item, "apply_patch_call_operation_diff", "diff", place)


def _compaction(_item: Item, place: JsonObject, _plan: Plan) -> Iterator[JsonObject]:
    yield from _steps("compaction", place, "compacting")


_TELLERS: dict[str, Teller] = {
    "apply_patch_call": _apply_patch,
    "code_interpreter_call": _code_interpreter,
    "compaction": _compaction,
    "custom_tool_call": _custom_tool,
    "file_search_call": _file_search,
    "image_generation_call": _image,
    "mcp_call": _mcp_call,
    "mcp_list_tools": _mcp_list,
    "shell_call": _shell,
    "shell_call_output": _shell_output,
    "web_search_call": _web_search,
}
