"""What a request may cost at worst: the hold that is put aside before it is sent.

Simple on purpose: bytes bound the tokens of text, the model's maximum bounds all else, and the
dearest tier and context row are taken. Not here: prices (`core.prices`), or whether a hold fits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.core.prices import ModelPrice, Rates

PROMPT_OVERHEAD_TOKENS = 64  # what the upstream wraps around a text that is all bytes of the body
TOOL_CALLS_DEFAULT = 10
HOLD_PUSD_MAX = 4_000_000 * 10**12  # no budget is larger, so no larger hold could be placed

INPUT_UNKNOWN = "input_unknown"  # the body refers to input that it does not carry
OUTPUT_UNLIMITED = "output_unlimited"  # no `max_output_tokens`
HOSTED_TOOLS = "hosted_tools"  # rounds of a hosted tool read the context again: not bounded here
TOOL_CALLS_UNLIMITED = "tool_calls_unlimited"  # no `max_tool_calls`
HOLD_CAPPED = "hold_capped"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundInput:
    """What of a request bounds its cost."""

    body_bytes: int
    max_output_tokens: int | None
    is_input_unknown: bool
    max_tool_calls: int | None
    has_hosted_tools: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The worst case, and what kept it from being tighter."""

    hold_pusd: int
    reasons: tuple[str, ...]


_Dearest = tuple[int, int]  # picodollars a token: input, output


def bound(request: BoundInput, price: ModelPrice) -> Bound:
    """The most that a request can cost at a card.

    Sound for text and functions. With hosted tools it holds for one round of the model and
    `max_tool_calls` of the dearest tool.
    """
    input_tokens = _input_tokens(request, price)
    output_tokens = price.output_tokens_max
    if request.max_output_tokens is not None:
        output_tokens = min(request.max_output_tokens, output_tokens)
    tokens_pusd = max(
        [
            input_tokens * input_pusd + output_tokens * output_pusd
            for input_pusd, output_pusd in _reachable(price, input_tokens)
        ]
    )
    total = tokens_pusd + _tools_pusd(request, price)
    reasons = _reasons(request, is_capped=total > HOLD_PUSD_MAX)
    return Bound(hold_pusd=min(total, HOLD_PUSD_MAX), reasons=tuple(reasons))


def _input_tokens(request: BoundInput, price: ModelPrice) -> int:
    if request.is_input_unknown or request.has_hosted_tools:
        return price.input_tokens_max
    # A token of text covers at least one byte, and JSON's escapes only add bytes.
    return min(request.body_bytes + PROMPT_OVERHEAD_TOKENS, price.input_tokens_max)


def _reachable(price: ModelPrice, input_tokens: int) -> tuple[_Dearest, ...]:
    short, long = _dearest(price)
    threshold = price.long_context_threshold_tokens
    return short + long if threshold is not None and input_tokens > threshold else short


@lru_cache(maxsize=1024)
def _dearest(price: ModelPrice) -> tuple[tuple[_Dearest, ...], tuple[_Dearest, ...]]:
    """The dearest prices of each tier, below and above the threshold: once a card."""
    tiers = price.tiers.values()
    return (
        tuple(_dearest_of(tier.short) for tier in tiers),
        tuple(_dearest_of(tier.long) for tier in tiers if tier.long is not None),
    )


def _dearest_of(rates: Rates) -> _Dearest:
    prices = (rates.input, rates.cached, rates.cache_write, rates.cache_write_12h)
    return max(price or 0 for price in prices), rates.output or 0


def _tools_pusd(request: BoundInput, price: ModelPrice) -> int:
    if not request.has_hosted_tools:
        return 0
    calls = request.max_tool_calls
    return (TOOL_CALLS_DEFAULT if calls is None else calls) * max(
        price.tool_fees_pusd.values(), default=0
    )


def _reasons(request: BoundInput, *, is_capped: bool) -> Iterator[str]:
    if request.is_input_unknown:
        yield INPUT_UNKNOWN
    if request.max_output_tokens is None:
        yield OUTPUT_UNLIMITED
    if request.has_hosted_tools:
        yield HOSTED_TOOLS
        if request.max_tool_calls is None:
            yield TOOL_CALLS_UNLIMITED
    if is_capped:
        yield HOLD_CAPPED
