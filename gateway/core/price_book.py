"""The price book: all cards, and which of them a model's name has at a moment.

Not here: what a card says (`prices`), or the files that it is read from (`adapters.pricefile`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.core.prices import ModelPrice, Rates, snapshot_of, within


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePrice:
    """What one model of the image tool costs a token, over a span of time like a card's."""

    effective_from_us: int | None
    effective_to_us: int | None
    rates: Rates

    def is_in_force(self, at_us: int) -> bool:
        """Whether the span contains a moment."""
        return within(self.effective_from_us, self.effective_to_us, at_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """All cards, by the model's name in order of time.

    `aliases` maps other names of a model to the name its cards have. `unpriced` says why a name has
    no price. `images` are the prices of the image tool's models, the default's under no name too.
    """

    version: str
    cards: Mapping[str, tuple[ModelPrice, ...]]
    aliases: Mapping[str, str] = field(default_factory=dict)
    unpriced: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, tuple[ImagePrice, ...]] = field(default_factory=dict)

    def find(self, model: str, at_us: int, *, window: str | None = None) -> ModelPrice | None:
        """A model's card in force at a moment; a dated snapshot without cards has its model's.

        With a `window`, the card for a background response that was asked for with it.
        """
        cards = self.cards_of(model)
        card = next((card for card in cards if card.is_in_force(at_us)), None)
        return card if window is None or card is None else card.until(window)

    def with_images(self, card: ModelPrice, at_us: int) -> ModelPrice:
        """A card with the prices of the image tool's models at a moment."""
        rates = {
            name: price.rates
            for name, prices in self.images.items()
            for price in prices
            if price.is_in_force(at_us)
        }
        return replace(card, images=rates)

    def names(self) -> tuple[str, ...]:
        """Every model's name that has a card, sorted."""
        return tuple(sorted(self.cards))

    def in_force(self, at_us: int) -> tuple[ModelPrice, ...]:
        """Every card in force at a moment, by name."""
        found = (self.find(name, at_us) for name in self.names())
        return tuple(card for card in found if card is not None)

    def cards_of(self, model: str) -> tuple[ModelPrice, ...]:
        """The cards that count for a model, by any of its names, in order of time."""
        if model in self.unpriced:
            return ()
        name = self.aliases.get(model, model)
        if name not in self.cards and name.startswith("ft:"):
            name = ":".join(name.split(":")[:2])  # of ft:BASE:organisation:suffix:id
        elif name not in self.cards:
            name = snapshot_of(name)
            name = self.aliases.get(name, name)
        return self.cards.get(name, ())
