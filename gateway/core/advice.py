"""What four levers of cost would have changed on traffic that was served: arithmetic, no promise.

Each lever says what it assumes. They concern the same requests, so their sums do not add up. Fees
of tools stay as they were. Not here: reading the traffic (`adapters.traffic`).
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

from gateway.core.cost import CostLine
from gateway.core.prices import ModelPrice, priced_tier
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage

CACHEABLE_TOKENS_MIN = 1_024  # shorter inputs are never cached
_INPUT = frozenset({"input", "input_cached", "input_cache_write", "input_cache_write_12h"})
_OUTPUT = frozenset({"output", "output_reasoning"})
_TEXT = _INPUT | _OUTPUT
_WAITING = ("flex", "batch")  # tiers for what can wait
_FAMILY = re.compile(r"(?P<major>[a-z]+-?\d+[a-z]*)(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request that was served and priced, by its entry."""

    price: ModelPrice  # in force at its admission
    lines: tuple[CostLine, ...]
    service_tier: str | None
    max_output_tokens: int | None
    is_stream: bool

    @property
    def usage(self) -> Usage:
        """Its text tokens; what else it used are fees here."""
        tokens = Counter({line.meter: line.quantity for line in self.lines})
        written = tokens["input_cache_write"] + tokens["input_cache_write_12h"]
        return Usage(
            input_tokens=tokens["input"] + tokens["input_cached"] + written,
            cached_tokens=tokens["input_cached"],
            cache_write_tokens=written,
            cache_write_12h_tokens=tokens["input_cache_write_12h"],
            output_tokens=tokens["output"] + tokens["output_reasoning"],
            reasoning_tokens=tokens["output_reasoning"],
        )

    @property
    def tokens_pusd(self) -> int:
        """What its text tokens cost."""
        return sum(line.cost_pusd for line in self.lines if line.meter in _TEXT)

    @property
    def cost_pusd(self) -> int:
        return sum(line.cost_pusd for line in self.lines)


@dataclass(slots=True, kw_only=True)
class Lever:
    """What a lever would have changed; negative: it would have cost more."""

    name: str
    assumption: str
    requests: int = 0  # that it would have concerned
    saved_pusd: int = 0

    def concern(self, saved_pusd: int) -> None:
        self.requests += 1
        self.saved_pusd += saved_pusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What the levers assume, each in percent."""

    cached_percent: int = 80
    output_percentile: int = 95


class Advice:
    """Adds up request by request; `cheaper` is by the name of a price."""

    def __init__(self, *, cheaper: dict[str, ModelPrice], assumed: Assumed) -> None:
        self.requests = 0
        self.cost_pusd = 0
        self.cacheable_tokens = 0
        self.cached_tokens = 0
        self.limited = 0  # requests with an output limit
        self.limited_output_tokens = 0
        self.limit_tokens = 0
        self.limits: dict[str, int] = {}  # by the name of a price: what the lever would set
        self.replaced: dict[str, str] = {}  # by the name of a price: with that of which
        self._cheaper = cheaper
        self._assumed = assumed
        self._caching = Lever(
            name="prompt caching",
            assumption=f"{assumed.cached_percent} % of each input over {CACHEABLE_TOKENS_MIN:,} "
            "tokens had been read from the cache; writing it there is not counted",
        )
        self._model = Lever(
            name="cheaper model",
            assumption="the same tokens at the prices of another model, at the same tier or else "
            "its default one; whether its answers are as good, and as long, is not known",
        )
        self._waiting = {
            tier: Lever(
                name=f"{tier} tier",
                assumption="every request that was not streamed could have waited",
            )
            for tier in _WAITING
        }
        # Outputs without a limit, by price: how often so many tokens at this price a token.
        self._outputs: defaultdict[str, Counter[tuple[int, int]]] = defaultdict(Counter)

    def add(self, served: Served) -> None:
        """Count one request."""
        usage = served.usage
        self.requests += 1
        self.cost_pusd += served.cost_pusd
        self._cache(served, usage)
        self._limit(served, usage)
        self._replace(served, usage)
        self._wait(served, usage)

    def levers(self) -> tuple[Lever, ...]:
        """All four, the last as two: what each would have changed."""
        return self._caching, self._limits(), self._model, *self._waiting.values()

    def _cache(self, served: Served, usage: Usage) -> None:
        if usage.input_tokens <= CACHEABLE_TOKENS_MIN:
            return
        self.cacheable_tokens += usage.input_tokens
        self.cached_tokens += usage.cached_tokens
        tier, price = served.service_tier, served.price
        rates = price.rates(service_tier=tier, input_tokens=usage.input_tokens)
        if rates is None or rates.input is None or rates.cached is None:
            return
        wanted = usage.input_tokens * self._assumed.cached_percent // 100 - usage.cached_tokens
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        if (more := min(wanted, plain)) > 0:
            self._caching.concern(more * (rates.input - rates.cached))

    def _limit(self, served: Served, usage: Usage) -> None:
        if served.max_output_tokens is not None:
            self.limited += 1
            self.limited_output_tokens += usage.output_tokens
            self.limit_tokens += served.max_output_tokens
            return
        units = {line.unit_price_pusd for line in served.lines if line.meter in _OUTPUT}
        if units:
            self._outputs[served.price.name][usage.output_tokens, max(units)] += 1

    def _limits(self) -> Lever:
        percentile = self._assumed.output_percentile
        lever = Lever(
            name="output limit",
            assumption=f"requests without one had the {percentile}th percentile of their model's "
            "outputs as limit; those that are longer would have ended there, incomplete",
        )
        for name, outputs in self._outputs.items():
            limit = self.limits[name] = _percentile(outputs, percentile)
            for (tokens, unit_pusd), count in outputs.items():
                if tokens > limit:
                    lever.requests += count
                    lever.saved_pusd += count * (tokens - limit) * unit_pusd
        return lever

    def _replace(self, served: Served, usage: Usage) -> None:
        card = self._cheaper.get(served.price.name)
        if card is None:
            return
        tier = served.service_tier if priced_tier(served.service_tier) in card.tiers else None
        cost = card.cost(usage=usage, tools=NO_TOOLS, service_tier=tier)
        if cost.cost_pusd is not None:
            self.replaced[served.price.name] = card.name
            self._model.concern(served.tokens_pusd - cost.cost_pusd)

    def _wait(self, served: Served, usage: Usage) -> None:
        if served.is_stream or priced_tier(served.service_tier) in _WAITING:
            return
        for tier, lever in self._waiting.items():
            cost = served.price.cost(usage=usage, tools=NO_TOOLS, service_tier=tier)
            if cost.cost_pusd is not None:
                lever.concern(served.tokens_pusd - cost.cost_pusd)


def next_cheaper(card: ModelPrice, cards: Sequence[ModelPrice]) -> ModelPrice | None:
    """The dearest model of the same family that is cheaper: of its version, else of its number."""
    family = _FAMILY.match(card.name)
    if family is None:
        return None
    for kind in (rf"{re.escape(family[0])}(-.*)?", rf"{re.escape(family['major'])}([.-].*)?"):
        kin = [one for one in cards if re.fullmatch(kind, one.name) and _is_cheaper(one, card)]
        if kin:
            return max(kin, key=lambda one: (_units(one), one.name))
    return None


def _is_cheaper(one: ModelPrice, other: ModelPrice) -> bool:
    """In both directions, for text."""
    mine, theirs = _units(one), _units(other)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine[1] > 0


def _units(card: ModelPrice) -> tuple[int, int]:
    rates = card.tiers["default"].short
    return rates.input or 0, rates.output or 0


def _percentile(outputs: Counter[tuple[int, int]], percent: int) -> int:
    """The least number of tokens that so many percent of the outputs do not exceed."""
    ordered = sorted(outputs.items())
    seen = list(accumulate(count for _, count in ordered))
    rank = ceil(seen[-1] * percent / 100)
    return ordered[bisect_left(seen, rank)][0][0]
