"""What admission goes by, as a test says it: one policy, some cards, chains, owners, minutes."""

from collections.abc import Sequence

from gateway.core.inheritance import Effective, Level, effective
from gateway.core.ownership import Reference, not_found
from gateway.core.policy import Policy
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice
from gateway.core.tenant import Tenant


class OnePolicy:
    """The same policy in force for all."""

    def __init__(self, policy: Policy) -> None:
        self._level = Level(subject="acme", policy=policy)

    async def find(self, tenant: Tenant) -> Effective:
        return effective([self._level])


class KnownPrices:
    """A book of these cards."""

    def __init__(self, *cards: ModelPrice) -> None:
        self._book = PriceBook(version="book", cards={card.name: (card,) for card in cards})

    async def book(self) -> PriceBook:
        return self._book


class KnownChains:
    """Lengths of responses that a test says."""

    def __init__(self, **tokens: int) -> None:
        self._tokens = tokens

    async def tokens(self, response_id: str, *, tenant: str, model: str) -> int | None:
        assert (tenant, model) == ("acme/search", "gpt-test")
        return self._tokens.get(response_id)


class Owners:
    """Everything named here is the tenant's; it remembers what was asked."""

    def __init__(self, *ids: str) -> None:
        self.asked: list[str] = []
        self._ids = ids

    async def check(self, named: Sequence[Reference], tenant: str) -> None:
        assert tenant == "acme/search"
        self.asked += [one.id for one in named]
        for one in named:
            if self._ids and one.id not in self._ids:
                raise not_found(one)


class NoMinutes:
    """Any number of requests a minute; it remembers whose they were."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[Level, ...], str]] = []

    async def admit(self, levels: tuple[Level, ...], *, key_id: str) -> None:
        self.asked.append((levels, key_id))


ALL_OURS = Owners()
NO_CHAINS = KnownChains()
NO_MINUTES = NoMinutes()
