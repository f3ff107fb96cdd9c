"""Price cards and the cost of a usage: integers multiplied and added, nothing else.

A card (`ModelPrice`) is one model's prices over one span of time, in whole picodollars a unit; a
book holds all cards. What has no price is a problem of the cost, never a zero. Not here: reading
the price files (`adapters.pricefile`), and what a request may cost at worst (`core.bound`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from gateway.core.money import PUSD_MAX
from gateway.core.usage import ToolUse, Usage

TIERS = ("default", "flex", "priority", "batch", "ultrafast")
_TIER_OF = {None: "default", "auto": "default", "fast": "priority"}  # as served -> as priced

IMAGE_TOKENS_MAX = 25_000  # of one image, where a card does not say: 10,000 patches, and a multiple

TIER_UNPRICED = "tier_unpriced"
METER_UNPRICED = "meter_unpriced"
WINDOW_UNPRICED = "window_unpriced"
COST_OUT_OF_RANGE = "cost_out_of_range"

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

_SNAPSHOT = re.compile(r"(.+)-\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One meter of a cost. Meters are disjoint, so lines add up to the whole."""

    meter: str
    quantity: int
    unit_price_pusd: int
    cost_pusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a usage costs. `cost_pusd` is None when a part has no price; the lines known stay."""

    lines: tuple[CostLine, ...]
    cost_pusd: int | None
    problem: str | None = None


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
        lines = []
        problem = TIER_UNPRICED if rates is None else None
        for meter, quantity, unit in (*_tokens(rates, usage), *_fees(self.tool_fees_pusd, tools)):
            if not quantity:
                continue
            if unit is None:
                problem = problem or METER_UNPRICED
                continue
            lines.append(_line(meter, quantity, unit))
        total = sum([line.cost_pusd for line in lines])
        if total > PUSD_MAX:
            problem = problem or COST_OUT_OF_RANGE  # nobody can have used that much, or owe it
        return Cost(lines=tuple(lines), cost_pusd=None if problem else total, problem=problem)


def priced_tier(service_tier: str | None) -> str:
    """The tier of the cards that a tier on the wire is; one that no card knows stays as it is."""
    return _TIER_OF.get(service_tier, service_tier or "")


_Meter = tuple[str, int, int | None]  # name, quantity, picodollars a unit


def _line(meter: str, quantity: int, unit: int) -> CostLine:
    return CostLine(meter=meter, quantity=quantity, unit_price_pusd=unit, cost_pusd=quantity * unit)


def _tokens(rates: Rates | None, usage: Usage) -> tuple[_Meter, ...]:
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


def _fees(fees: Mapping[str, int], tools: ToolUse) -> Iterator[_Meter]:
    yield "web_search", tools.web_searches, fees.get("web_search")
    yield "file_search", tools.items.get("file_search_call", 0), fees.get("file_search")
    yield "image_generation", int(tools.has_image_generation), None
    for item, count in tools.items.items():
        # An output's price is its call's, which is an item of its own.
        if item not in _FREE_ITEMS and not item.endswith("_call_output"):
            yield item, count, None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """All cards, by the model's name in order of time.

    `aliases` maps other names of a model to the name its cards have. `unpriced` are snapshots whose
    price differs from their model's and is not known.
    """

    version: str
    cards: Mapping[str, tuple[ModelPrice, ...]]
    aliases: Mapping[str, str] = field(default_factory=dict)
    unpriced: frozenset[str] = frozenset()

    def find(self, model: str, at_us: int) -> ModelPrice | None:
        """A model's card in force at a moment; a dated snapshot without cards has its model's."""
        cards = self._cards(model)
        return next((card for card in cards if card.is_in_force(at_us)), None)

    def names(self) -> tuple[str, ...]:
        """Every model's name that has a card, sorted."""
        return tuple(sorted(self.cards))

    def in_force(self, at_us: int) -> tuple[ModelPrice, ...]:
        """Every card in force at a moment, by name."""
        found = (self.find(name, at_us) for name in self.names())
        return tuple(card for card in found if card is not None)

    def _cards(self, model: str) -> tuple[ModelPrice, ...]:
        if model in self.unpriced:
            return ()
        name = self.aliases.get(model, model)
        if name not in self.cards and (snapshot := _SNAPSHOT.fullmatch(name)):
            name = self.aliases.get(snapshot[1], snapshot[1])
        return self.cards.get(name, ())


_Numbers = tuple[int | None, int | None, int | None, int | None, int | None]


class _Wire(msgspec.Struct, frozen=True, omit_defaults=True):
    """A card as the hold row keeps it: short, because every request writes one."""

    name: str
    version: str
    tiers: dict[str, tuple[_Numbers, _Numbers | None]]
    input_max: int
    output_max: int
    threshold: int | None = None
    since: int | None = None
    until: int | None = None
    source: str = ""
    fees: dict[str, int] = {}
    rounded: tuple[str, ...] = ()
    image_max: int = IMAGE_TOKENS_MAX
    overhead: int | None = None


@lru_cache(maxsize=1024)
def price_to_json(price: ModelPrice) -> str:
    """A card as text for the hold row: encoded once a card, as cards never change."""
    wire = _Wire(
        name=price.name,
        version=price.version,
        tiers={
            name: (_numbers(tier.short), _numbers(tier.long) if tier.long else None)
            for name, tier in price.tiers.items()
        },
        input_max=price.input_tokens_max,
        output_max=price.output_tokens_max,
        threshold=price.long_context_threshold_tokens,
        since=price.effective_from_us,
        until=price.effective_to_us,
        source=price.source,
        fees=dict(price.tool_fees_pusd),
        rounded=price.rounded,
        image_max=price.image_tokens_max,
        overhead=price.prompt_overhead_tokens,
    )
    return msgspec.json.encode(wire).decode()


@lru_cache(maxsize=1024)
def price_from_json(text: str) -> ModelPrice:
    """The card of a hold row. Raises ValueError when the text is none."""
    wire = msgspec.json.decode(text, type=_Wire)
    return ModelPrice(
        name=wire.name,
        version=wire.version,
        effective_from_us=wire.since,
        effective_to_us=wire.until,
        source=wire.source,
        tiers={
            name: TierRates(short=_rates(short), long=_rates(long) if long else None)
            for name, (short, long) in wire.tiers.items()
        },
        long_context_threshold_tokens=wire.threshold,
        input_tokens_max=wire.input_max,
        output_tokens_max=wire.output_max,
        image_tokens_max=wire.image_max,
        prompt_overhead_tokens=wire.overhead,
        tool_fees_pusd=wire.fees,
        rounded=wire.rounded,
    )


def _numbers(rates: Rates) -> _Numbers:
    return rates.input, rates.cached, rates.cache_write, rates.cache_write_12h, rates.output


def _rates(numbers: _Numbers) -> Rates:
    uncached, cached, cache_write, cache_write_12h, output = numbers
    return Rates(
        input=uncached,
        cached=cached,
        cache_write=cache_write,
        cache_write_12h=cache_write_12h,
        output=output,
    )
