"""What the levers of cost come to on what was served, for the command line and the console.

Not here: the arithmetic (`core.advice`), or reading the traffic (`traffic`).
"""

from collections.abc import Iterable

from gateway.core.advice import Advice, Served, next_cheaper
from gateway.core.money import to_usd
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice


def cheaper_models(book: PriceBook, now_us: int, model: str | None) -> dict[str, ModelPrice]:
    """What each model would be replaced with, where that is cheaper: by `model`, if one is named.

    Raises LookupError for a model without a price.
    """
    cards = book.in_force(now_us)
    if model is None:
        found = {card.name: next_cheaper(card, cards) for card in cards}
        return {name: card for name, card in found.items() if card is not None}
    chosen = book.find(model, now_us)
    if chosen is None:
        raise LookupError(f"no price is known for {model!r}; `gateway prices list` lists all")
    return {card.name: chosen for card in cards if card.name != chosen.name}


def add_all(advice: Advice, traffic: Iterable[Served | None]) -> int:
    """Count all that was served; how many had no price of the book at hand."""
    left = 0
    for served in traffic:
        if served is None:
            left += 1
        else:
            advice.add(served)
    return left


def advice_document(advice: Advice, left: int) -> dict[str, object]:
    """As scripts know it: names are added beside these, never changed."""
    return {
        "requests": advice.requests,
        "cost_usd": to_usd(advice.cost_pusd),
        "requests_without_price": left,
        "levers": [
            {
                "lever": lever.name,
                "requests": lever.requests,
                "saved_usd": to_usd(lever.saved_pusd),
                "assumption": lever.assumption,
            }
            for lever in advice.levers()
        ],
        "cached_percent": percent(advice.cached_tokens, advice.cacheable_tokens),
        "requests_with_output_limit": advice.limited,
        "output_limit_used_percent": percent(advice.limited_output_tokens, advice.limit_tokens),
        "output_limits": dict(sorted(advice.limits.items())),
        "cheaper_models": dict(sorted(advice.replaced.items())),
    }


def percent(part: int, whole: int) -> int | None:
    """How much of it; None where there is none."""
    return part * 100 // whole if whole else None
