"""What keeps the cost of a request from having a bound, and what would give it one.

A name or a tool that is not known here may cost anything: what nobody thought of is no bound. Not
here: the bound itself, or whether a request without one is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.fees import CONTAINER_SIZES, fee_of_search
from gateway.core.prices import ModelPrice
from gateway.core.request import Request
from gateway.core.tool_use import SEARCHES
from gateway.core.toolset import Tool

NAME_CHARACTERS_SHOWN = 64

CONTAINER_MINUTES_MAX = 20  # of one session: a call may begin one, and none lasts longer

# They end a response as a function's call does, and bring a prompt of their own that no body shows.
_PROMPTED = frozenset({"computer", "computer_use_preview", "local_shell", "apply_patch"})
_REASONING = frozenset({"effort", "summary", "generate_summary", "context", "mode"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """The field that it takes to bound a request, and a sentence that says how."""

    field: str
    sentence: str


def tools_that_loop(request: Request) -> tuple[str, ...]:
    """The tools after whose calls the upstream reads the whole context again."""
    return tuple([kind for kind in request.hosted_tools if kind not in _PROMPTED])


def dearest_fee_pusd(request: Request, price: ModelPrice) -> int:
    """The dearest fee of a call that the tools of a request can make, in picodollars."""
    fees = (_fee(kind, request, price) for kind in request.hosted_tools)
    return max((fee for fee in fees if fee is not None), default=0)


def _fee(kind: str, request: Request, price: ModelPrice) -> int | None:
    """The most that one call of a tool costs; None where it has no price, or no end."""
    if kind in SEARCHES:
        return price.tool_fees_pusd.get(fee_of_search(kind))
    if kind == "file_search":
        return price.tool_fees_pusd.get(kind)
    if kind != "code_interpreter":
        return None
    sizes = [_container_size(tool) for tool in request.tools() if tool.kind == kind]
    minutes = [price.tool_fees_pusd.get(f"container_{size}") for size in sizes]
    known = [minute for minute in minutes if minute is not None]
    return CONTAINER_MINUTES_MAX * max(known) if len(known) == len(sizes) else None


def _container_size(tool: Tool) -> str:
    """The size of the containers that a tool makes; unknown for one that was there before."""
    container = tool.fields.get("container")
    if not isinstance(container, dict):
        return "unknown"
    return str(container.get("memory_limit") or CONTAINER_SIZES[0])


def unbounded_by(request: Request, price: ModelPrice) -> Iterator[Obstacle]:
    """Each thing in a request that keeps it from having a bound; none for one that has it."""
    if request.hosted_tools:
        yield from _by_tools(request, price)
    if request.unfamiliar:
        yield _unknown(min(request.unfamiliar))
    for limitless, why in request.limitless:
        yield _left_out(limitless, why)
    fields = request.fields
    if fields.get("prompt") is not None:
        yield _left_out("prompt", "may bring tools and settings that the request does not show")
    if fields.get("context_management") is not None:
        yield _left_out("context_management", "may have the upstream read its input again")
    if fields.get("reasoning") is not None:
        yield from _by_reasoning(fields["reasoning"])


def unpriced(tier: str, price: ModelPrice) -> Obstacle:
    """A tier that a request can be served at, and that has no price for it."""
    return Obstacle(
        field="service_tier",
        sentence=f"it may be served at the tier '{_short(tier)}', which has no price for "
        f"{price.name} and so long an input: send 'service_tier' as 'default'",
    )


def _by_tools(request: Request, price: ModelPrice) -> Iterator[Obstacle]:
    looping = tools_that_loop(request)
    without = [kind for kind in looping if _fee(kind, request, price) is None]
    if without:
        yield Obstacle(
            field="tools",
            sentence=f"the tool '{_short(without[0])}' has no fee for {price.name} in the price "
            "book: send the request without it",
        )
    if looping and request.max_tool_calls is None:
        yield Obstacle(
            field="max_tool_calls",
            sentence="tools that run upstream may be called any number of times, and each call "
            "reads the context again: send 'max_tool_calls'",
        )


def _by_reasoning(reasoning: object) -> Iterator[Obstacle]:
    if not isinstance(reasoning, dict):
        yield _left_out("reasoning", "cannot be read")
        return
    if unknown := reasoning.keys() - _REASONING:
        yield _unknown(f"reasoning.{min(unknown)}")
    if reasoning.get("mode") not in (None, "standard"):
        yield _left_out("reasoning.mode", "may write more than 'max_output_tokens'")


def _unknown(field: str) -> Obstacle:
    return _left_out(_short(field), "is not known to this gateway and may cost anything")


def _left_out(field: str, why: str) -> Obstacle:
    return Obstacle(field=field, sentence=f"'{field}' {why}: send the request without it")


def _short(name: str) -> str:
    """A name as the client wrote it, of which nobody knows what is in it."""
    return ascii(name[:NAME_CHARACTERS_SHOWN])[1:-1]
