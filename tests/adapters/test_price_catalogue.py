"""The price book held against another catalogue, cell by cell: `genai-prices`, as it is pinned.

A cell is one price of one model, tier and length of input. Where both have one they are equal, or
`EXPLAINED` says why ours stands, with a source. Run with `-s` to see what only one side has.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from gateway.adapters.pricefile import load_prices
from gateway.core.prices import Rates

BOOK = load_prices()
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
OPENAI = next(provider for provider in providers if provider.id == "openai")
METERS = {
    "input": "input_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "audio": "input_audio_mtok",
    "audio_cached": "cache_audio_read_mtok",
    "audio_output": "output_audio_mtok",
    "image": "input_image_mtok",
    "image_cached": "cache_image_read_mtok",
    "image_output": "output_image_mtok",
}
FEES = {"web_search": "web_searches_kcount", "file_search": "storage_searches_kcount"}
CONTEXTS = {
    "default": {},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "batch": {"processing": "batch"},
}


class Cell(NamedTuple):
    model: str
    tier: str
    row: str  # short, long or fee
    meter: str


EXPLAINED = {
    Cell("gpt-4o-mini-search-preview", "default", "fee", "web_search"): (
        "they take the model for gpt-4o-mini, but it searches by itself, as `web_search_preview` "
        "does where a model does not reason: https://developers.openai.com/api/docs/pricing"
    ),
}


def ours() -> Iterator[tuple[Cell, Decimal]]:
    for card in BOOK.in_force(NOW_US):
        for tier, both in card.tiers.items():
            for row, rates in (("short", both.short), ("long", both.long)):
                yield from _prices(card.name, tier, row, rates)
        for fee, pusd in card.tool_fees_pusd.items():
            if fee in FEES:
                yield Cell(card.name, "default", "fee", fee), Decimal(pusd).scaleb(-9)
    for name, prices in BOOK.images.items():
        for price in prices:
            if name and price.is_in_force(NOW_US):
                yield from _prices(name, "default", "short", price.rates)


def _prices(model: str, tier: str, row: str, rates: Rates | None) -> Iterator[tuple[Cell, Decimal]]:
    for meter in METERS:
        pusd = getattr(rates, meter, None)
        if pusd is not None:
            yield Cell(model, tier, row, meter), Decimal(pusd).scaleb(-6)


def theirs(names: list[str]) -> Iterator[tuple[Cell, Decimal]]:
    for name in names:
        model = OPENAI.find_model(name)
        if model is None:
            continue
        for tier, context in CONTEXTS.items():
            for key, price in _said(model, context).items():
                yield from _cells(name, tier, key, price)


def _said(model: ModelInfo, context: dict[str, str]) -> dict[str, Decimal | TieredPrices]:
    """What is said of a tier itself: for one without prices they give those of another."""
    if not context:
        return _keys(model.get_prices(NOW))
    said: dict[str, Decimal | TieredPrices] = {}
    for variant in model.price_variants or ():
        if variant.when == context and (not variant.constraint or variant.constraint.active(NOW)):
            said |= _keys(variant.prices)
    return said


def _keys(prices: ModelPrice) -> dict[str, Decimal | TieredPrices]:
    said = {key: price for key, price in vars(prices).items() if price is not None}
    if "input_image_mtok" in said and "output_image_mtok" not in said and "output_mtok" in said:
        said["output_image_mtok"] = said.pop("output_mtok")  # all that such a model makes
    return said


def _cells(
    model: str, tier: str, key: str, price: Decimal | TieredPrices
) -> Iterator[tuple[Cell, Decimal]]:
    known = {key: meter for meter, key in METERS.items()}
    fees = {key: fee for fee, key in FEES.items()}
    if key in fees and isinstance(price, Decimal):
        if tier == "default":
            yield Cell(model, tier, "fee", fees[key]), price
    elif isinstance(price, TieredPrices):
        yield Cell(model, tier, "short", known.get(key, key)), price.base
        for step in price.tiers:
            row = "long" if step.start == _threshold(model) else f"above {step.start}"
            yield Cell(model, tier, row, known.get(key, key)), step.price
    else:
        yield Cell(model, tier, "short", known.get(key, key)), price


def _threshold(model: str) -> int | None:
    card = BOOK.find(model, NOW_US)
    return None if card is None else card.long_context_threshold_tokens


def test_both_catalogues_agree_wherever_both_have_a_price() -> None:
    book = dict(ours())
    names = sorted({cell.model for cell in book})
    other = dict(theirs(names))
    both = book.keys() & other.keys()
    conflicts = {cell: (book[cell], other[cell]) for cell in both if book[cell] != other[cell]}
    print(f"\n{len(both) - len(conflicts)} cells agree, {len(conflicts)} do not")
    for side, alone in (
        ("ours", book.keys() - other.keys()),
        ("theirs", other.keys() - book.keys()),
    ):
        by_place = Counter((cell.tier, cell.row, cell.meter) for cell in alone)
        print(f"only {side}: {len(alone)}")
        for place, count in sorted(by_place.items()):
            models = sorted(cell.model for cell in alone if cell[1:] == place)
            print(f"  {count:3} {' '.join(place)}: {' '.join(models)}")
    assert conflicts.keys() == EXPLAINED.keys(), conflicts
    assert len(both) > 500
