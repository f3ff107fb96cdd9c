"""Price cards: one model's prices over one span of time, in whole picodollars a unit.

Not here: a book of cards (`price_book`), the text that a hold keeps (`pinned`), reading the price
files (`adapters.pricefile`), and what a request may cost at worst (`bound`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gateway.core.cost import TIER_UNPRICED, Cost, Meter, cost_of
from gateway.core.fees import fees
from gateway.core.tool_use import NO_TOOLS, ImageUse, ToolUse
from gateway.core.usage import TEXT_ONLY, Modalities, Usage

TIERS = ("default", "flex", "priority", "batch", "ultrafast", "scale")
_TIER_OF = {None: "default", "auto": "default", "fast": "priority"}  # as served -> as priced

_SNAPSHOT = re.compile(r"(.+)-\d{4}-\d{2}-\d{2}")

IMAGE_TOKENS_MAX = 25_000  # of one image, where a card does not say: 10,000 patches, and a multiple


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Picodollars a token; None where the upstream offers no such price.

    Tokens of images are priced as text where they have no price of their own; audio never is.
    """

    input: int | None
    cached: int | None = None
    cache_write: int | None = None
    cache_write_12h: int | None = None
    output: int | None = None
    audio: int | None = None
    audio_cached: int | None = None
    audio_output: int | None = None
    image: int | None = None
    image_cached: int | None = None
    image_output: int | None = None


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
    images: Mapping[str, Rates] = field(default_factory=dict)  # of the image tool, by its model
    windows: Mapping[str, TierRates] = field(default_factory=dict)  # see `until`

    def __hash__(self) -> int:
        """Cards are keys of the encoding's cache, and the mappings they hold have no hash."""
        return hash((self.name, self.version, self.effective_from_us))

    def is_in_force(self, at_us: int) -> bool:
        """Whether the card's span contains a moment."""
        return within(self.effective_from_us, self.effective_to_us, at_us)

    def until(self, window: str) -> "ModelPrice | None":
        """The card of background responses that may take until the end of a window.

        They are served at the default tier alone. None: the window has no price.
        """
        tier = self.windows.get(window)
        return None if tier is None else replace(self, tiers={"default": tier}, windows={})

    def rates(self, *, service_tier: str | None, input_tokens: int) -> Rates | None:
        """The prices of a request: its tier as served, and the long row above the threshold."""
        tier = self.tiers.get(priced_tier(service_tier))
        if tier is None:
            return None
        threshold = self.long_context_threshold_tokens
        return tier.long if threshold is not None and input_tokens > threshold else tier.short

    def cost(self, *, usage: Usage, tools: ToolUse, service_tier: str | None) -> Cost:
        """The cost of a usage, at the tier as served."""
        rates = self.rates(service_tier=service_tier, input_tokens=usage.input_tokens)
        meters = [] if rates is None else list(_tokens(rates, usage))
        if tools is not NO_TOOLS:
            meters += fees(self.tool_fees_pusd, tools)
            if tools.images is not None:
                meters += _drawn(self.images, tools.images)
        return cost_of(meters, TIER_UNPRICED if rates is None else None)


def within(from_us: int | None, to_us: int | None, at_us: int) -> bool:
    """Whether a moment is in a span that ends before `to_us`; None is open."""
    return (from_us is None or from_us <= at_us) and (to_us is None or at_us < to_us)


def snapshot_of(name: str) -> str:
    """The model that a dated name is a snapshot of; any other name as it is."""
    found = _SNAPSHOT.fullmatch(name)
    return found[1] if found else name


def priced_tier(service_tier: str | None) -> str:
    """The tier of the cards that a tier on the wire is; one that no card knows stays as it is."""
    return _TIER_OF.get(service_tier, service_tier or "")


def _tokens(rates: Rates, usage: Usage) -> tuple[Meter, ...]:
    part = usage.modalities
    cached, made = usage.cached_tokens, usage.output_tokens - usage.reasoning_tokens
    read = usage.input_tokens - cached - usage.cache_write_tokens
    other: tuple[Meter, ...] = ()
    if part is not TEXT_ONLY:
        seen, kept, drawn = _images(rates, part)
        read -= part.audio - part.audio_cached + seen - kept
        cached -= part.audio_cached + kept
        made -= part.audio_output + drawn
        if read < 0:  # which of it was cached is not told apart
            return (("input", usage.input_tokens, None),)
        other = tuple(_modal(rates, part))
    written = usage.cache_write_tokens - usage.cache_write_12h_tokens
    return (
        ("input", read, rates.input),
        ("input_cached", cached, rates.cached),
        ("input_cache_write", written, rates.cache_write),
        ("input_cache_write_12h", usage.cache_write_12h_tokens, rates.cache_write_12h),
        ("output", made, rates.output),
        ("output_reasoning", usage.reasoning_tokens, rates.output),
        *other,
    )


def _modal(rates: Rates, part: Modalities) -> Iterator[Meter]:
    yield "input_audio", part.audio - part.audio_cached, rates.audio
    yield "input_audio_cached", part.audio_cached, rates.audio_cached
    yield "output_audio", part.audio_output, rates.audio_output
    if rates.image is not None:
        yield "input_image", part.image - part.image_cached, rates.image
        yield "input_image_cached", part.image_cached, rates.image_cached
    if rates.image_output is not None:
        yield "output_image", part.image_output, rates.image_output


def _images(rates: Rates, part: Modalities) -> tuple[int, int, int]:
    """Tokens of images that are not priced as text: of the input, cached of it, of the output."""
    seen, kept = (0, 0) if rates.image is None else (part.image, part.image_cached)
    return seen, kept, 0 if rates.image_output is None else part.image_output


def _drawn(prices: Mapping[str, Rates], use: ImageUse) -> Iterator[Meter]:
    """The image tool's tokens, at the prices of the model that used them."""
    known = [prices.get(model) or prices.get(snapshot_of(model)) for model in use.models or ("",)]
    rates = known[0]
    if use.usage is None or rates is None or any(one != rates for one in known):
        yield "image_generation", 1, None
        return
    for meter, quantity, unit in _tokens(rates, use.usage):
        yield f"image_generation_{meter}", quantity, unit
