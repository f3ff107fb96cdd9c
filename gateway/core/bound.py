"""What a request may cost at worst: the hold that is put aside before it is sent.

Sound: no usage that the upstream can report for the request costs more, or `unbounded` says what
keeps it from being so. Not here: prices (`dearest`), or whether a hold fits.
"""

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.dearest import Dearest, Reachable, reachable
from gateway.core.money import to_usd
from gateway.core.prices import ModelPrice
from gateway.core.request import Request
from gateway.core.unbounded import (
    Obstacle,
    dearest_fee_pusd,
    tools_that_loop,
    unbounded_by,
    unpriced,
)

ITEM_OVERHEAD_TOKENS = 16  # around each item of the input
TOOL_OVERHEAD_TOKENS = 128  # around each function, and what is said of functions at all
HOLD_PUSD_MAX = 4_000_000 * 10**12  # no budget is larger, so no larger hold could be placed

# Where no bound is wanted, a tool is taken to be called and to bring so much. No promise.
ALLOWED_CALLS = 10
ALLOWED_CALL_TOKENS = 20_000


class BoundInput(Struct, frozen=True, kw_only=True):
    """What bounds the cost of a request.

    `previous_tokens`: input and output tokens of the response that it continues, as reported by the
    same model for a request that kept its history too; None where that is not known.
    `counted_input_tokens`: what the upstream itself counted for this input.
    `is_unbounded_allowed`: tools are held at an allowance, not at their worst case.
    """

    request: Request
    previous_tokens: int | None = None
    counted_input_tokens: int | None = None
    is_unbounded_allowed: bool = False
    set_by_policy: tuple[str, ...] = ()  # fields, to be told


class Bound(Struct, frozen=True, kw_only=True):
    """The worst case. `unbounded` is empty where it is proved to be one."""

    hold_pusd: int
    input_tokens_max: int
    input_from: str
    output_tokens_max: int
    output_from: str
    tools_pusd: int
    dearest: Dearest
    is_tier_open: bool  # the request says none: the upstream's project decides
    unbounded: tuple[Obstacle, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """How the worst case comes about, a sentence for each part."""
        context = ", long context" if self.dearest.is_long_context else ""
        tools = (f"fees of tools ≤ {to_usd(self.tools_pusd)} USD",) if self.tools_pusd else ()
        return (
            f"input ≤ {self.input_tokens_max:,} tokens from {self.input_from}",
            f"output ≤ {self.output_tokens_max:,} tokens from {self.output_from}",
            f"price: {self.dearest.service_tier}{context}{self._why_dearest()}",
            *tools,
        )

    def _why_dearest(self) -> str:
        if not self.is_tier_open or self.dearest.service_tier == "default":
            return ""
        return (
            ", the dearest that the upstream's project may be set to, as the request names no tier"
            " ('service_tier': 'default' has less held)"
        )


def bound(asked: BoundInput, price: ModelPrice) -> Bound:
    """The most that a request can cost at a card."""
    request = asked.request
    calls = _calls(request)
    input_tokens, input_from = _input_tokens(asked, price, calls)
    output_tokens, output_from = _output_tokens(asked, price, calls)
    prices = _reachable(request, price, input_tokens)
    dearest = max(prices.prices, key=lambda one: one.cost_pusd(input_tokens, output_tokens))
    tools_pusd = calls * dearest_fee_pusd(request, price) if calls else 0
    total_pusd = dearest.cost_pusd(input_tokens, output_tokens) + tools_pusd
    unbounded = [*unbounded_by(request, price), *_beyond(asked, total_pusd)]
    unbounded += [unpriced(tier, price) for tier in prices.unpriced]
    return Bound(
        hold_pusd=min(total_pusd, HOLD_PUSD_MAX),
        input_tokens_max=input_tokens,
        input_from=input_from,
        output_tokens_max=output_tokens,
        output_from=output_from,
        tools_pusd=tools_pusd,
        dearest=dearest,
        is_tier_open=request.service_tier in {None, "auto"},
        unbounded=tuple(unbounded),
    )


def output_that_fits(asked: BoundInput, price: ModelPrice, left_pusd: int) -> int | None:
    """The greatest limit of its output with which a request's hold is at most `left_pusd`.

    Never more than was asked for. None: not even the least that the API takes would fit, it takes
    none, or the request has no bound.
    """
    request = asked.request
    if not request.takes_output_limit:
        return None
    most = bound(asked, price).output_tokens_max // request.choices
    # With the field set the body may be longer: by no more than with its widest value.
    wide = replace(asked, request=request.rewritten({request.output_field: most})[0])
    whole = bound(wide, price)
    if whole.unbounded:
        return None
    read = whole.input_tokens_max
    for one in _reachable(wide.request, price, read).prices:
        left_for_output_pusd = left_pusd - whole.tools_pusd - one.cost_pusd(read, 0)
        if one.output_pusd or left_for_output_pusd < 0:
            most = min(most, left_for_output_pusd // max(one.output_pusd * request.choices, 1))
    return most if most >= request.output_tokens_min else None


def _reachable(request: Request, price: ModelPrice, input_tokens: int) -> Reachable:
    threshold = price.long_context_threshold_tokens
    return reachable(
        price,
        request.service_tier,
        request.may_keep_12h,
        threshold is not None and input_tokens > threshold,
    )


def _calls(request: Request) -> int | None:
    """How often tools may run upstream, each time reading the context again; None: none can."""
    if not request.hosted_tools or not tools_that_loop(request):
        return None
    return ALLOWED_CALLS if request.max_tool_calls is None else request.max_tool_calls


def _input_tokens(asked: BoundInput, price: ModelPrice, calls: int | None) -> tuple[int, str]:
    """The most tokens that are read, and what says so."""
    if calls is None:
        return _prompt_tokens(asked, price)
    if asked.is_unbounded_allowed:
        read, read_from = _prompt_tokens(asked, price)
        allowed = read * (calls + 1) + ALLOWED_CALL_TOKENS * calls
        return allowed, f"{read_from}, and an allowance for {calls} calls of tools"
    # A tool may bring as much as the context takes, and each round reads all of it again.
    return price.input_tokens_max * (calls + 1), f"the model's maximum, {calls + 1} times for tools"


def _prompt_tokens(asked: BoundInput, price: ModelPrice) -> tuple[int, str]:
    request, content = asked.request, asked.request.content
    most = price.input_tokens_max * request.inputs
    if asked.counted_input_tokens is not None:
        return min(asked.counted_input_tokens, most), "the upstream's own count"
    overhead = price.prompt_overhead_tokens
    missing = _missing(asked)
    if missing is not None or overhead is None:
        return most, f"the model's maximum: {missing or 'its provider adds a prompt of its own'}"
    read = (
        request.body_bytes
        - content.image_bytes
        + content.images * price.image_tokens_max
        + content.items * ITEM_OVERHEAD_TOKENS
        + request.own_tools * TOOL_OVERHEAD_TOKENS
        + overhead
        + (asked.previous_tokens or 0)
    )
    return (read, _text_from(asked)) if read < most else (most, "the model's maximum")


def _text_from(asked: BoundInput) -> str:
    said = "bytes"
    if images := asked.request.content.images:
        said += f" and {images} image{'s' if images > 1 else ''}"
    if asked.previous_tokens is not None:
        said += f" and {asked.previous_tokens:,} tokens of the response before"
    return said


def _missing(asked: BoundInput) -> str | None:
    """What keeps the bytes of a body from bounding its prompt."""
    request = asked.request
    if request.content.missing is not None:
        return f"'{request.content.missing}' refers to what the body does not carry"
    if request.previous_response_id is not None:
        if asked.previous_tokens is None:
            return "how long 'previous_response_id' is, is not known"
        if not request.keeps_history:
            return "it may read more of its history than the response before"
    if request.hosted_tools and not asked.is_unbounded_allowed:
        return "its tools bring a prompt of their own"
    return None


def _output_tokens(asked: BoundInput, price: ModelPrice, calls: int | None) -> tuple[int, str]:
    request = asked.request
    most = price.output_tokens_max * (1 + (calls or 0))  # the model's maximum is that of a round
    wanted = request.max_output_tokens
    if wanted is None or wanted > most:
        return most * request.choices, "the model's maximum"
    by_policy = request.output_field in asked.set_by_policy
    return wanted * request.choices, "your policy" if by_policy else "your request"


def _beyond(asked: BoundInput, total_pusd: int) -> tuple[Obstacle, ...]:
    if total_pusd > HOLD_PUSD_MAX:
        said = "its worst case is more than any budget: send a lower 'max_tool_calls'"
        return (Obstacle(field="max_tool_calls", sentence=said),)
    if asked.is_unbounded_allowed and asked.request.hosted_tools:
        said = "its tools are held at an allowance, as the policy allows what has no bound"
        return (Obstacle(field="tools", sentence=said),)
    return ()
