"""What was seen of one response, and whether it can be trusted: the observers' one result.

Not here: how it was read (`facts`), or what follows from it for money and outcome.
"""

from typing import Final

from msgspec import Struct

from gateway.core.facts import Facts
from gateway.core.tool_use import NO_TOOLS, ToolUse
from gateway.core.usage import Usage

COMPLETED: Final = "response.completed"
INCOMPLETE: Final = "response.incomplete"
FAILED: Final = "response.failed"
CANCELLED: Final = "response.cancelled"
TERMINAL_EVENTS = frozenset({COMPLETED, INCOMPLETE, FAILED, CANCELLED})

_TERMINAL_BY_STATUS = {
    "completed": COMPLETED,
    "complete": COMPLETED,  # no word of the definition, but some hosts send it
    "incomplete": INCOMPLETE,
    "failed": FAILED,
    "cancelled": CANCELLED,
}
WORD_CHARACTERS_MAX = 256  # of an id, a model, a reason
_COMPACTION = "response.compaction"  # has no status, and is billed like a response


# A struct, as one is made for each answer, and a frozen dataclass takes many times as long to make.
class Observation(Struct, frozen=True, kw_only=True):
    """What was seen of one response. `terminal` is None where it has not ended, or was cut off."""

    terminal: str | None = None
    response_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    status: str | None = None
    usage: Usage | None = None
    tools: ToolUse = NO_TOOLS
    reason: str | None = None
    has_output: bool = False
    is_suspect: bool = False
    problem: str | None = None
    event_counts: dict[str, int] = {}
    item_ids: tuple[str, ...] = ()
    container_ids: tuple[str, ...] = ()


def observe(
    facts: Facts,
    *,
    terminal: str | None,
    problem: str | None = None,
    event_counts: dict[str, int] | None = None,
) -> Observation:
    usage = facts.usage
    return Observation(
        terminal=terminal,
        response_id=facts.response_id,
        model=facts.model,
        service_tier=facts.service_tier,
        status=facts.status,
        usage=usage,
        tools=facts.tools,
        reason=facts.reason,
        has_output=facts.has_output,
        is_suspect=facts.has_output and usage is not None and not usage.output_tokens,
        problem=problem or _usage_problem(facts, terminal),
        event_counts=event_counts or {},
        item_ids=facts.item_ids,
        container_ids=facts.container_ids,
    )


def _usage_problem(facts: Facts, terminal: str | None) -> str | None:
    if facts.is_usage_invalid:
        return "usage_invalid"
    if facts.usage is not None or terminal is None:
        return None
    is_owed = facts.has_output or terminal in {COMPLETED, INCOMPLETE}
    return "usage_missing" if is_owed else None


def observe_body(facts: Facts | None) -> Observation:
    """A whole body has no terminal event: its status says how it ended."""
    if facts is None:
        return Observation(problem="body_unreadable")
    terminal = _TERMINAL_BY_STATUS.get(facts.status or "")
    if facts.object == _COMPACTION:
        terminal = terminal or COMPLETED
    elif facts.object != "response":
        return Observation(reason=facts.reason)  # a list, an error, an item: nothing was used
    return observe(facts, terminal=terminal)


def kept_word(said: str | None) -> str | None:
    """What an upstream said, as it can be kept: a database refuses a NUL, and the batch with it."""
    if said is None or (len(said) <= WORD_CHARACTERS_MAX and said.isprintable()):
        return said
    return "".join(one if one.isprintable() else "?" for one in said[:WORD_CHARACTERS_MAX])
