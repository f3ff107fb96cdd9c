"""What is to be said: the directive and the request's own fields, resolved into one Plan.

Pure. How the words go over the wire, and what breaks there, belongs to `faults`.
"""

from dataclasses import dataclass

from gateway.simulator.directive import (
    DirectiveInvalid,
    JsonObject,
    Words,
    newest_item_type,
    newest_text,
    whole_number,
)
from gateway.simulator.tools import CLIENT_KINDS, TOOL_KINDS

KINDS = TOOL_KINDS | {
    "text", "reasoning", "reasoning_text", "reasoning_part", "function_call", "web_search",
    "incomplete", "failed", "error", "refusal", "keepalive", "parsed", "annotations", "audio",
    "queued",
}  # fmt: skip
OUTPUT_TOKENS_DEFAULT = 24
OUTPUT_TOKENS_MAX = 200_000
REASONING_TOKENS = {"minimal": 8, "low": 32, "medium": 64, "high": 128, "xhigh": 256, "max": 512}
HUGE_MIB_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One response to be played; `reasoning_tokens` come on top of `output_tokens`."""

    kind: str = "text"
    output_tokens: int = OUTPUT_TOKENS_DEFAULT
    reasoning_tokens: int = 0
    searches: int = 0
    calls: int = 1  # of the kind's tool
    partials: int = 1  # images before the whole one
    arguments: str = ""  # of a function call, as JSON; made up where none are given
    reason: str = "max_output_tokens"  # of an incomplete response
    is_late: bool = False  # a failure after output, with usage
    error_code: str = "server_error"
    error_message: str = "The simulated model stopped working."
    is_error_flat: bool = False
    keepalive_events: int = 0  # one keepalive after so many events; 0 is never
    usage: str = ""
    tier: str = ""
    snapshot: str = ""
    huge_mib: int = 0
    huge_where: str = "delta"
    replay: str = ""
    polls: int = 0  # reads that still find it in progress
    takes_seconds: float = 0.0  # that it is at work in the background
    missing: int = 0  # reads that do not find it yet, before those

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DirectiveInvalid(f"the simulator plays no kind {self.kind!r}")
        if self.output_tokens > OUTPUT_TOKENS_MAX or self.huge_mib > HUGE_MIB_MAX:
            raise DirectiveInvalid("the simulator does not say that much")
        if self.huge_where not in {"delta", "terminal"}:
            raise DirectiveInvalid("huge_where is delta or terminal")

    @property
    def is_failure(self) -> bool:
        return self.kind in {"failed", "error"}

    @property
    def is_reasoning_told(self) -> bool:
        """Reasoning is streamed as it is, not as a summary."""
        return self.kind in {"reasoning_text", "reasoning_part"}

    @property
    def context_calls(self) -> int:
        """Calls whose results the model reads."""
        return self.calls if self.kind in TOOL_KINDS - CLIENT_KINDS - {"compaction"} else 0


def make_plan(body: JsonObject, words: Words) -> Plan:
    kind = words.get("kind") or _derived_kind(body)
    return Plan(
        kind=kind,
        output_tokens=whole_number(words, "output", OUTPUT_TOKENS_DEFAULT),
        reasoning_tokens=whole_number(words, "reasoning", _reasoning_tokens(body, kind)),
        searches=_calls(body, words, "searches") if kind == "web_search" else 0,
        calls=_calls(body, words, "calls"),
        partials=whole_number(words, "partials", 1),
        arguments=words.get("arguments", ""),
        reason=words.get("reason", "max_output_tokens"),
        is_late=words.get("when") == "after",
        error_code=words.get("code", "server_error"),
        error_message=words.get("message", "The simulated model stopped working."),
        is_error_flat="flat" in words,
        keepalive_events=whole_number(words, "keepalive", 4 if kind == "keepalive" else 0),
        usage=words.get("usage", ""),
        tier=words.get("tier", ""),
        snapshot=words.get("snapshot", ""),
        huge_mib=whole_number(words, "huge"),
        huge_where=words.get("huge_where", "delta"),
        replay=words.get("replay", ""),
        polls=whole_number(words, "polls", _polls(body, words)),
        takes_seconds=_takes_seconds(body, words),
        missing=whole_number(words, "missing"),
    )


def _polls(body: JsonObject, words: Words) -> int:
    return 1 if body.get("background") and "takes" not in words else 0


def _takes_seconds(body: JsonObject, words: Words) -> float:
    takes = words.get("takes", "0")
    if not takes.replace(".", "", 1).isdecimal():
        raise DirectiveInvalid(f"the simulator cannot work for {takes!r} seconds")
    return float(takes) if body.get("background") else 0.0


def tools_of(body: JsonObject, kind: str) -> list[JsonObject]:
    tools = body.get("tools")
    if not isinstance(tools, list):
        return []
    return [t for t in tools if isinstance(t, dict) and str(t.get("type", "")).startswith(kind)]


def chosen_function(body: JsonObject) -> JsonObject | None:
    """Return the function tool that the request demands or names, else the first, else None."""
    functions = tools_of(body, "function")
    choice = body.get("tool_choice")
    wanted = choice.get("name") if isinstance(choice, dict) else None
    said = newest_text(body)
    named = [f for f in functions if f.get("name") == wanted]
    named += [f for f in functions if str(f.get("name")) in said]
    return next(iter(named or functions), None)


def _derived_kind(body: JsonObject) -> str:
    if body.get("tool_choice") != "none" and newest_item_type(body) == "message":
        if _is_function_asked(body):
            return "function_call"
        if tools_of(body, "web_search"):
            return "web_search"
    if _format_type(body) in {"json_schema", "json_object"}:
        return "parsed"
    return "reasoning" if _effort(body) not in {"", "none"} else "text"


def _is_function_asked(body: JsonObject) -> bool:
    choice = body.get("tool_choice")
    functions = tools_of(body, "function")
    if choice == "required" or (isinstance(choice, dict) and choice.get("type") == "function"):
        return bool(functions)
    said = newest_text(body)
    return any(str(f.get("name")) in said for f in functions)


def _format_type(body: JsonObject) -> str:
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    return str(form.get("type", "")) if isinstance(form, dict) else ""


def _effort(body: JsonObject) -> str:
    reasoning = body.get("reasoning")
    return str(reasoning.get("effort") or "") if isinstance(reasoning, dict) else ""


def _reasoning_tokens(body: JsonObject, kind: str) -> int:
    effort = _effort(body)
    if effort in REASONING_TOKENS:
        return REASONING_TOKENS[effort]
    return REASONING_TOKENS["medium"] if kind.startswith("reasoning") else 0


def _calls(body: JsonObject, words: Words, name: str) -> int:
    wanted = whole_number(words, name, 1)
    allowed = body.get("max_tool_calls")
    return min(wanted, allowed) if isinstance(allowed, int) else wanted
