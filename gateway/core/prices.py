"""Price cards: one model's prices over one span of time, in whole picodollars a unit.

Not here: a book of cards (`price_book`), the text that a hold keeps (`pinned`), reading the price
files (`adapters.pricefile`), and what a request may cost at worst (`bound`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.core.cost import TIER_UNPRICED, WINDOW_UNPRICED, Cost, Meter, cost_of
from gateway.core.usage import ToolUse, Usage

TIERS = ("default", "flex", "priority", "batch", "ultrafast")
_TIER_OF = {None: "default", "auto": "default", "fast": "priority"}  # as served -> as priced

IMAGE_TOKENS_MAX = 25_000  # of one image, where a card does not say: 10,000 patches, and a multiple

TOOL_FEES = ("web_search", "file_search")

# Output items that cost their tokens and nothing more. What is not listed has an unknown price: a
# new hosted tool must not be free because nobody knew it. `shell_call` is missing on purpose, as it
# may have run in a container of the upstream's.
_FREE_ITEMS = frozenset({
    "message", "reasoning", "compaction", "function_call", "custom_tool_call", "computer_call",
    "local_shell_call", "apply_patch_call", "mcp_call", "mcp_list_tools", "mcp_approval_request",
    "web_search_call",  # its fee is a search's: see ToolUse.web_searches
    "file_search_call",  # its fee has a line of its own
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Picodollars a token; None where the upstream offers no such price."""

    input: int | None
    cached: int | None
    cache_write: int | None
    cache_write_12h: int | None
    output: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRates:
    """A tier's prices up to the long-context threshold, and above it."""

    short: Rates
    long: Rates | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """One model's prices from `effective_from_us` until before `effective_to_us`; None is open."""

    name: str
    version: str  # of the price book
    effective_from_us: int | None
    effective_to_us: int | None
    source: str
    tiers: Mapping[str, TierRates]
    long_context_threshold_tokens: int | None
    input_tokens_max: int
    output_tokens_max: int
    image_tokens_max: int = IMAGE_TOKENS_MAX
    prompt_overhead_tokens: int | None = None  # wrapped around a text by its provider
    tool_fees_pusd: Mapping[str, int] = field(default_factory=dict)
    rounded: tuple[str, ...] = ()  # unit prices that were rounded up to be whole

    def __hash__(self) -> int:
        """Cards are keys of the encoding's cache, and the mappings they hold have no hash."""
        return hash((self.name, self.version, self.effective_from_us))

    def is_in_force(self, at_us: int) -> bool:
        """Whether the card's span contains a moment."""
        begun = self.effective_from_us is None or self.effective_from_us <= at_us
        return begun and (self.effective_to_us is None or at_us < self.effective_to_us)

    def rates(self, *, service_tier: str | None, input_tokens: int) -> Rates | None:
        """The prices of a request: its tier as served, and the long row above the threshold."""
        tier = self.tiers.get(priced_tier(service_tier))
        if tier is None:
            return None
        threshold = self.long_context_threshold_tokens
        return tier.long if threshold is not None and input_tokens > threshold else tier.short

    def cost(
        self,
        *,
        usage: Usage,
        tools: ToolUse,
        service_tier: str | None,
        background_window: str | None = None,
    ) -> Cost:
        """The cost of a usage, at the tier as served.

        `background_window` is as asked: discounted without an echo, at no price that is known yet.
        """
        if background_window is not None:
            return Cost(lines=(), cost_pusd=None, problem=WINDOW_UNPRICED)
        rates = self.rates(service_tier=service_tier, input_tokens=usage.input_tokens)
        meters = (*_tokens(rates, usage), *_fees(self.tool_fees_pusd, tools))
        return cost_of(meters, TIER_UNPRICED if rates is None else None)


def priced_tier(service_tier: str | None) -> str:
    """The tier of the cards that a tier on the wire is; one that no card knows stays as it is."""
    return _TIER_OF.get(service_tier, service_tier or "")


def _tokens(rates: Rates | None, usage: Usage) -> tuple[Meter, ...]:
    if rates is None:
        return ()
    written = usage.cache_write_tokens - usage.cache_write_12h_tokens
    uncached = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return (
        ("input", uncached, rates.input),
        ("input_cached", usage.cached_tokens, rates.cached),
        ("input_cache_write", written, rates.cache_write),
        ("input_cache_write_12h", usage.cache_write_12h_tokens, rates.cache_write_12h),
        ("output", usage.output_tokens - usage.reasoning_tokens, rates.output),
        ("output_reasoning", usage.reasoning_tokens, rates.output),
    )


def _fees(fees: Mapping[str, int], tools: ToolUse) -> Iterator[Meter]:
    yield "web_search", tools.web_searches, fees.get("web_search")
    yield "file_search", tools.items.get("file_search_call", 0), fees.get("file_search")
    yield "image_generation", int(tools.has_image_generation), None
    for item, count in tools.items.items():
        # An output's price is its call's, which is an item of its own.
        if item not in _FREE_ITEMS and not item.endswith("_call_output"):
            yield item, count, None
