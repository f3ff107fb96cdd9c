"""The price book: all cards, and which of them a model's name has at a moment.

Not here: what a card says (`prices`), or the files that it is read from (`adapters.pricefile`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.prices import ModelPrice

_SNAPSHOT = re.compile(r"(.+)-\d{4}-\d{2}-\d{2}")


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
        return next((card for card in self.cards_of(model) if card.is_in_force(at_us)), None)

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
        if name not in self.cards and (snapshot := _SNAPSHOT.fullmatch(name)):
            name = self.aliases.get(snapshot[1], snapshot[1])
        return self.cards.get(name, ())
