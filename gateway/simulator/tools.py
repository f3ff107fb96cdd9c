"""Makes the output items of tools: what was called, and what came of it where the API runs it.

One kind of the directive each; how they are streamed belongs to `tool_narration`. Not here:
functions and web searches, which follow from the request (`items`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from gateway.simulator.directive import JsonObject
from gateway.simulator.ids import Ids, sliced

CODE = "print(sum(range(10)))"
COMMAND = "echo simulated"
DIFF = "@@\n-before\n+after\n"
ARGUMENTS = '{"question":"simulated"}'
SAID = "simulated\n"
SERVER = "simulated_server"
UNSTREAMED_TOKENS = 6
IMAGE_BASE64 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJg"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One output item as it stands at the end, and its text as it is streamed."""

    final: JsonObject
    pieces: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def written_tokens(self) -> int:
        """What the model wrote of it: a piece is a token, and a call costs some even unstreamed."""
        kind = self.final["type"]
        if kind.endswith("_output") or kind == "mcp_list_tools":
            return 0
        return len(self.pieces) or UNSTREAMED_TOKENS


def tool_items(kind: str, calls: int, ids: Ids) -> list[Item]:
    """The items of a kind's calls; none for a kind that calls nothing."""
    make = _MAKERS.get(kind)
    made = [item for number in range(calls) for item in make(ids, number)] if make else []
    if made and kind in {"mcp", "mcp_failed", "mcp_approval"}:
        made.insert(0, _tool_list(ids, is_failed=kind == "mcp_failed"))
    return made


def _file_search(ids: Ids, number: int) -> list[Item]:
    found = {
        "attributes": {},
        "file_id": f"file-{ids.noise(f'file{number}', 22)}",
        "filename": "simulated.txt",
        "score": 0.75,
        "text": "What was simulated.",
    }
    queries = [f"simulated question {number}"]
    return [_item(ids, "fs", number, "file_search_call", queries=queries, results=[found])]


def _code_interpreter(ids: Ids, number: int) -> list[Item]:
    fields = {
        "code": CODE,
        "container_id": f"cntr_{ids.noise('container', 48)}",
        "outputs": [{"type": "logs", "logs": "45\n"}],
    }
    kind = "code_interpreter_call"
    return [_item(ids, "ci", number, kind, pieces=sliced(CODE), **fields)]


def _image_generation(ids: Ids, number: int) -> list[Item]:
    fields: JsonObject = {
        "action": "generate",
        "background": "opaque",
        "output_format": "png",
        "quality": "high",
        "result": IMAGE_BASE64,
        "revised_prompt": "A simulated picture.",
        "size": "1024x1024",
    }
    return [_item(ids, "ig", number, "image_generation_call", **fields)]


def _mcp(ids: Ids, number: int) -> list[Item]:
    return [_mcp_call(ids, number, {"error": None, "output": SAID})]


def _mcp_failed(ids: Ids, number: int) -> list[Item]:
    error = {"type": "http_error", "code": 424, "message": "424: Failed Dependency"}
    return [_mcp_call(ids, number, {"error": error, "output": None, "status": "failed"})]


def _mcp_call(ids: Ids, number: int, came: JsonObject) -> Item:
    fields = {
        "approval_request_id": None,
        "arguments": ARGUMENTS,
        "name": "ask",
        "server_label": SERVER,
        **came,
    }
    return _item(ids, "mcp", number, "mcp_call", pieces=sliced(ARGUMENTS), **fields)


def _mcp_approval(ids: Ids, number: int) -> list[Item]:
    final = {
        "id": ids.item("mcpr", number),
        "type": "mcp_approval_request",
        "arguments": ARGUMENTS,
        "name": "ask",
        "server_label": SERVER,
    }
    return [Item(final=final)]


def _tool_list(ids: Ids, *, is_failed: bool) -> Item:
    tool = {
        "annotations": {"read_only": False},
        "description": "Answers questions.",
        "input_schema": {"type": "object", "properties": {"question": {"type": "string"}}},
        "name": "ask",
    }
    final: JsonObject = {
        "id": ids.item("mcpl", 0),
        "type": "mcp_list_tools",
        "server_label": SERVER,
        "tools": [] if is_failed else [tool],
    }
    if is_failed:
        final["error"] = "The server could not be reached."
    return Item(final=final)


def _shell(ids: Ids, number: int) -> list[Item]:
    call_id = _call_id(ids, number)
    container = {"type": "container_reference", "container_id": f"cntr_{ids.noise('shell', 48)}"}
    action = {"commands": [COMMAND], "max_output_length": None, "timeout_ms": None}
    output = {"outcome": {"type": "exit", "exit_code": 0}, "stderr": "", "stdout": SAID}
    asked: JsonObject = {"action": action, "call_id": call_id, "environment": container}
    told: JsonObject = {"call_id": call_id, "max_output_length": None, "output": [output]}
    return [
        _item(ids, "sh", number, "shell_call", pieces=sliced(COMMAND), **asked),
        _item(ids, "sho", number, "shell_call_output", pieces=sliced(SAID), **told),
    ]


def _local_shell(ids: Ids, number: int) -> list[Item]:
    action = {"type": "exec", "command": ["bash", "-lc", COMMAND], "env": {}}
    fields: JsonObject = {"action": action, "call_id": _call_id(ids, number)}
    return [_item(ids, "lsh", number, "local_shell_call", **fields)]


def _custom_tool(ids: Ids, number: int) -> list[Item]:
    fields = {"call_id": _call_id(ids, number), "input": COMMAND, "name": "simulated"}
    return [_item(ids, "ctc", number, "custom_tool_call", pieces=sliced(COMMAND), **fields)]


def _apply_patch(ids: Ids, number: int) -> list[Item]:
    operation = {"type": "update_file", "diff": DIFF, "path": "simulated.txt"}
    fields: JsonObject = {"call_id": _call_id(ids, number), "operation": operation}
    return [_item(ids, "apc", number, "apply_patch_call", pieces=sliced(DIFF), **fields)]


def _computer(ids: Ids, number: int) -> list[Item]:
    fields: JsonObject = {
        "action": {"type": "click", "button": "left", "x": 1, "y": 2},
        "call_id": _call_id(ids, number),
        "pending_safety_checks": [],
    }
    return [_item(ids, "cu", number, "computer_call", **fields)]


def _tool_search(ids: Ids, number: int) -> list[Item]:
    fields: JsonObject = {
        "arguments": json.loads(ARGUMENTS),
        "call_id": None,
        "execution": "server",
    }
    found: JsonObject = {"call_id": None, "execution": "server", "tools": []}
    return [
        _item(ids, "tsc", number, "tool_search_call", **fields),
        _item(ids, "tso", number, "tool_search_output", **found),
    ]


def _compaction(ids: Ids, number: int) -> list[Item]:
    final = {
        "id": ids.item("cmp", number),
        "type": "compaction",
        "encrypted_content": ids.noise(f"compacted{number}", 64),
    }
    return [Item(final=final)]


def _item(
    ids: Ids, prefix: str, number: int, kind: str, pieces: tuple[str, ...] = (), **fields: object
) -> Item:
    first = {"id": ids.item(prefix, number), "type": kind, "status": "completed"}
    return Item(final={**first, **fields}, pieces=pieces)


def _call_id(ids: Ids, number: int) -> str:
    return f"call_{ids.noise(f'call{number}', 24)}"


_MAKERS: dict[str, Callable[[Ids, int], list[Item]]] = {
    "file_search": _file_search,
    "code_interpreter": _code_interpreter,
    "image_generation": _image_generation,
    "mcp": _mcp,
    "mcp_failed": _mcp_failed,
    "mcp_approval": _mcp_approval,
    "shell": _shell,
    "local_shell": _local_shell,
    "custom_tool": _custom_tool,
    "apply_patch": _apply_patch,
    "computer": _computer,
    "tool_search": _tool_search,
    "compaction": _compaction,
}
TOOL_KINDS = frozenset(_MAKERS)
# The client has to act on them: nothing is said beside the call.
CLIENT_KINDS = frozenset({"local_shell", "custom_tool", "apply_patch", "computer", "mcp_approval"})
