"""Prices laid over prices: whose word counts where several say what a model costs.

The built-in book lies under the operator's file, and both under what administrators set while the
gateway runs. Each of their words counts for its span of time, the last one where they overlap.
Not here: reading any of them (`adapters.pricefile`, `adapters.overrides`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice

FILE = "file"
DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an administrator said of a model, from a moment until before another; None is open.

    `cards` None: what the files say again. Without any card: no price is known.
    """

    number: int
    model: str
    from_us: int
    to_us: int | None
    cards: tuple[ModelPrice, ...] | None


def version_of(layer: str, name: object) -> str:
    """The version of a layer's cards, by which an entry tells who priced it."""
    return f"{layer}:{name}"


def layer_of(price: ModelPrice) -> str:
    """Which layer a card is of, in words."""
    layer, colon, _ = price.version.partition(":")
    return {FILE: "operator's file", DATABASE: "database"}[layer] if colon else "built-in book"


def overlaid(book: PriceBook, overrides: Sequence[Override]) -> PriceBook:
    """The book with all that was said of it, in the order in which it was said."""
    if not overrides:
        return book
    cards = dict(book.cards)
    for one in overrides:
        below = book.cards_of(one.model)
        said = below if one.cards is None else one.cards
        before = cards.get(one.model, below)
        cards[one.model] = tuple(sorted([*_outside(before, one), *_inside(said, one)], key=_start))
    models = {one.model for one in overrides}
    newest = max(one.number for one in overrides)
    return replace(
        book,
        version=f"{book.version}+{version_of(DATABASE, newest)}",
        cards=cards,
        aliases={name: book.aliases[name] for name in book.aliases.keys() - models},
        unpriced={name: book.unpriced[name] for name in book.unpriced.keys() - models},
    )


def _outside(cards: Iterable[ModelPrice], span: Override) -> Iterable[ModelPrice]:
    """What of the cards lies before and after a span."""
    for card in cards:
        yield from _cut(card, None, span.from_us)
        if span.to_us is not None:
            yield from _cut(card, span.to_us, None)


def _inside(cards: Iterable[ModelPrice], span: Override) -> Iterable[ModelPrice]:
    for card in cards:
        yield from _cut(card, span.from_us, span.to_us)


def _cut(card: ModelPrice, from_us: int | None, to_us: int | None) -> Iterable[ModelPrice]:
    """The card within a span, if there is any of it."""
    starts = [us for us in (card.effective_from_us, from_us) if us is not None]
    ends = [us for us in (card.effective_to_us, to_us) if us is not None]
    start, end = max(starts, default=None), min(ends, default=None)
    if start is None or end is None or start < end:
        yield replace(card, effective_from_us=start, effective_to_us=end)


def _start(card: ModelPrice) -> float:
    return float("-inf") if card.effective_from_us is None else card.effective_from_us
