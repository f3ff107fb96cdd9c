"""A card as the text that a hold keeps, and back: later prices do not reach what was admitted.

Not here: what a card says (`prices`), or the row that the text is part of (`adapters.rows`).
"""

from dataclasses import fields
from functools import lru_cache

import msgspec

from gateway.core.prices import IMAGE_TOKENS_MAX, ModelPrice, Rates, TierRates

_METERS = tuple(field.name for field in fields(Rates))
_Numbers = tuple[int | None, ...]  # in the order of the rates; what is left out has no price


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
    images: dict[str, _Numbers] = {}


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
        images={name: _numbers(rates) for name, rates in price.images.items()},
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
        images={name: _rates(numbers) for name, numbers in wire.images.items()},
    )


def _numbers(rates: Rates) -> _Numbers:
    numbers = [getattr(rates, name) for name in _METERS]
    while numbers and numbers[-1] is None:
        numbers.pop()
    return tuple(numbers)


def _rates(numbers: _Numbers) -> Rates:
    return Rates(**dict(zip(_METERS, numbers, strict=False)))
