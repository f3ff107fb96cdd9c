"""The dearest prices that a request can be served at. Not here: for how many tokens (`bound`).

A tier that is asked for may be served as `default`. What is not said, or is `auto`, is what the
upstream's project is set to: any tier of the card, whatever tiers a policy names.
"""

from dataclasses import dataclass
from functools import lru_cache

from gateway.core.prices import ModelPrice, Rates, TierRates, priced_tier

_NOT_HERE = "batch"  # is asked for by files, never by a request


@dataclass(frozen=True, slots=True, kw_only=True)
class Dearest:
    """What a token may cost at one tier, in picodollars."""

    service_tier: str
    is_long_context: bool
    input_pusd: int
    output_pusd: int

    def cost_pusd(self, input_tokens: int, output_tokens: int) -> int:
        """The most that so many tokens cost."""
        return input_tokens * self.input_pusd + output_tokens * self.output_pusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The prices that a request can reach, and the tiers it can reach that have none."""

    prices: tuple[Dearest, ...]
    unpriced: tuple[str, ...]


@lru_cache(maxsize=1024)
def reachable(
    price: ModelPrice,
    service_tier: str | None,
    may_keep_12h: bool,  # noqa: FBT001 - by place, as names cost the cache twice its time
    is_long_context: bool,  # noqa: FBT001 - as above
) -> Reachable:
    """What a card says of a tier as asked, and of at most so long an input."""
    asked = priced_tier(service_tier)
    if service_tier is None or service_tier == "auto":
        tiers = [name for name in price.tiers if name != _NOT_HERE]
    else:
        tiers = ["default"] if asked == "default" else ["default", asked]
    prices, unpriced = [], []
    for name in tiers:
        rows = _rows(price.tiers.get(name), is_long_context=is_long_context)
        found = [
            Dearest(
                service_tier=name,
                is_long_context=is_long,
                input_pusd=_dearest_input(rates, may_keep_12h=may_keep_12h),
                output_pusd=_dearest(rates.output, rates.audio_output, rates.image_output),
            )
            for is_long, rates in rows
            if rates is not None
        ]
        prices += found
        if len(found) < len(rows):
            unpriced.append(name)
    return Reachable(prices=_undercut(prices), unpriced=tuple(unpriced))


def _rows(tier: TierRates | None, *, is_long_context: bool) -> list[tuple[bool, Rates | None]]:
    """Up to the threshold and, for a long context, above it too."""
    if tier is None:
        return [(False, None)]
    return [(False, tier.short), (True, tier.long)] if is_long_context else [(False, tier.short)]


def _dearest_input(rates: Rates, *, may_keep_12h: bool) -> int:
    written_12h = rates.cache_write_12h if may_keep_12h else None
    text = (rates.input, rates.cached, rates.cache_write, written_12h)
    other = (rates.audio, rates.audio_cached, rates.image, rates.image_cached)
    return _dearest(*text, *other)


def _dearest(*units: int | None) -> int:
    return max(unit or 0 for unit in units)


def _undercut(prices: list[Dearest]) -> tuple[Dearest, ...]:
    """Without those that another is dearer than in both: mostly one is left."""
    kept: list[Dearest] = []
    for one in sorted(prices, key=lambda one: (one.input_pusd, one.output_pusd), reverse=True):
        if not kept or one.output_pusd > kept[-1].output_pusd:
            kept.append(one)
    return tuple(kept)
