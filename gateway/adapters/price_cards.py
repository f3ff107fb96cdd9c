"""The tables of a price file as cards, in whole picodollars: multiplied and rounded here, once.

Not here: what a table may say (`price_format`), or which file's tables count (`pricefile`).
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from gateway.adapters.price_format import (
    File,
    ImageRow,
    Model,
    PriceFileInvalid,
    Row,
    TokenPrices,
    converted,
)
from gateway.core.fees import TOOL_FEES
from gateway.core.money import PUSD_PER_USD, pusd_per_unit
from gateway.core.price_book import ImagePrice
from gateway.core.prices import TIERS, ModelPrice, Rates, TierRates

TOKENS_PER_PRICE = 1_000_000
CALLS_PER_PRICE = 1_000
USD_MAX = 10_000  # a price: above it a cost would leave a BIGINT, and it is a typo

_ONE = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the prices of tokens are multiplied by: a contract, and a region for some models."""

    contract: Fraction = _ONE
    is_regional: bool = False

    def of(self, model: Model) -> Fraction:
        """What applies to a model."""
        uplift = model.regional_uplift if self.is_regional else None
        return self.contract * Fraction(uplift or 1)


def model_cards(
    name: str, table: object, file: File, *, where: str, version: str, scale: Scale
) -> tuple[ModelPrice, ...]:
    """A model's cards in order of time. Raises PriceFileInvalid with the place of a mistake."""
    model = converted(table, Model, where=where)
    times = scale.of(model)
    cards = [
        _card(
            name,
            model,
            row,
            file,
            at=_Place(where=f"{where}.prices[{index}]", times=times),
            version=version,
        )
        for index, row in enumerate(model.prices)
    ]
    cards.sort(key=lambda card: card.effective_from_us or 0)
    _refuse_overlaps(cards, where=where)
    return tuple(cards)


def image_prices(rows: list[ImageRow], *, where: str, scale: Scale) -> tuple[ImagePrice, ...]:
    """The prices of a model of the image tool, in order of time. Raises PriceFileInvalid."""
    prices = [
        ImagePrice(
            effective_from_us=_micros(row.since),
            effective_to_us=_micros(row.until),
            rates=_rates(
                row.default, _Place(where=f"{where}[{index}].default", times=scale.contract)
            ),
        )
        for index, row in enumerate(rows)
    ]
    prices.sort(key=lambda price: price.effective_from_us or 0)
    _refuse_overlaps(prices, where=where)
    return tuple(prices)


def check_fees(tools: dict[str, str], *, where: str) -> None:
    """Refuses fees that cannot be, also where no card has them. Raises PriceFileInvalid."""
    for _ in _fees(tools, _Place(where=where, times=_ONE)):
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in a file a price stands, what it is multiplied by, and which were rounded there."""

    where: str
    times: Fraction
    rounded: list[str] = field(default_factory=list)

    def of(self, name: str) -> "_Place":
        return replace(self, where=f"{self.where}.{name}")


def _refuse_overlaps(spans: Sequence[ModelPrice | ImagePrice], *, where: str) -> None:
    for span, following in pairwise(spans):
        ends, starts = span.effective_to_us, following.effective_from_us
        if ends is None or starts is None or ends > starts:
            raise PriceFileInvalid(f"{where}: two prices are in force at the same time")


def _card(name: str, model: Model, row: Row, file: File, *, at: _Place, version: str) -> ModelPrice:
    if row.since and row.until and row.since >= row.until:
        raise PriceFileInvalid(f"{at.where}: `from` is not before `to`")
    tiers = {tier: _tier(tier, model, row, at) for tier in TIERS}
    fees = file.tools if row.tools is None else row.tools
    return ModelPrice(
        name=name,
        version=version,
        effective_from_us=_micros(row.since),
        effective_to_us=_micros(row.until),
        source=row.source,
        tiers={tier: rates for tier, rates in tiers.items() if rates is not None},
        long_context_threshold_tokens=model.long_context_above_tokens,
        input_tokens_max=model.input_tokens_max,
        output_tokens_max=model.output_tokens_max,
        image_tokens_max=model.image_tokens_max,
        prompt_overhead_tokens=file.prompt_overhead_tokens,
        tool_fees_pusd=dict(_fees(fees, at.of("tools"))),
        windows=dict(_windows(model, row, file, at)),
        rounded=tuple(at.rounded),
    )


def _windows(model: Model, row: Row, file: File, at: _Place) -> Iterator[tuple[str, TierRates]]:
    """By window, its part of the default tier."""
    for window, multiple in file.windows.items():
        within = replace(at.of(f"windows.{window}"), times=at.times * Fraction(multiple))
        tier = _tier("default", model, row, within)
        assert tier is not None  # as every row has one
        yield window, tier


def _tier(tier: str, model: Model, row: Row, at: _Place) -> TierRates | None:
    long_tier = f"{tier}_long"
    short: TokenPrices | None = getattr(row, tier)
    long: TokenPrices | None = getattr(row, long_tier)
    if long is not None and (short is None or model.long_context_above_tokens is None):
        raise PriceFileInvalid(
            f"{at.where}.{long_tier}: needs `{tier}` and the model's `long_context_above_tokens`"
        )
    if short is None:
        return None
    return TierRates(
        short=_rates(short, at.of(tier)), long=_rates(long, at.of(long_tier)) if long else None
    )


def _rates(prices: TokenPrices, at: _Place) -> Rates:
    numbers: dict[str, int] = {}
    for meter in TokenPrices.__struct_fields__:
        usd: str | None = getattr(prices, meter)
        if usd is not None:
            numbers[meter] = _unit(usd, TOKENS_PER_PRICE, at.of(meter))
    return Rates(**numbers)


def _fees(tools: dict[str, str], at: _Place) -> Iterator[tuple[str, int]]:
    for tool, usd in tools.items():
        if tool not in TOOL_FEES:
            raise PriceFileInvalid(
                f"{at.where}.{tool}: no such fee; there are {', '.join(TOOL_FEES)}"
            )
        yield tool, _unit(usd, CALLS_PER_PRICE, replace(at.of(tool), times=_ONE))


def _unit(usd: str, units: int, at: _Place) -> int:
    try:
        pusd, is_rounded = _priced(usd, units, at.times)
    except ValueError as broken:
        raise PriceFileInvalid(f"{at.where}: {broken}") from broken
    if pusd * units > USD_MAX * PUSD_PER_USD:
        raise PriceFileInvalid(f"{at.where}: {usd} USD is more than {USD_MAX} for {units:,}")
    if is_rounded:
        at.rounded.append(at.where.rpartition("].")[2])
    return pusd


@lru_cache(maxsize=4096)  # the same few prices stand everywhere
def _priced(usd: str, units: int, times: Fraction) -> tuple[int, bool]:
    return pusd_per_unit(usd, units=units, times=times)


def _micros(day: dt.date | None) -> int | None:
    """The first microsecond of a day, UTC."""
    if day is None:
        return None
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return int(start.timestamp()) * 1_000_000
