"""Prices: what is in force, what was and will be, who said so, and what a usage would cost."""

from gateway.adapters.overrides import Overrides, Said
from gateway.adapters.views import bill_lines
from gateway.app.console.page import Asked, Page, Sources, table_of
from gateway.app.console.words import default_tier
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.layers import layer_of
from gateway.core.moment import iso, iso_or_none
from gateway.core.money import to_usd
from gateway.core.prices import ModelPrice, Rates
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage

METERS = ("input", "cached", "cache_write", "cache_write_12h", "output")
MORE_METERS = ("audio", "audio_cached", "audio_output", "image", "image_cached", "image_output")
TOKENS_PER_PRICE = 1_000_000
CALLS_PER_PRICE = 1_000
_TOKENS_MAX = 10**9
_DRY = {"input": 10_000, "cached": 0, "output": 1_000}

_Tier = tuple[str, Rates]


def prices(sources: Sources, asked: Asked) -> Page:
    """Every model's prices in force now."""
    book, now_us = asked.book, sources.now_us()
    wanted = asked.query.get("find", "").strip().lower()
    cards = [card for card in book.in_force(now_us) if wanted in card.name.lower()]
    said = Overrides(engine=sources.engine, now_us=sources.now_us).history()
    return Page(
        template="prices.html",
        facts={
            "version": book.version,
            "find": wanted,
            "cards": [(card, card.tiers["default"].short, layer_of(card)) for card in cards],
            "said": said[::-1],
            "per": TOKENS_PER_PRICE,
        },
        tables={
            "prices": lambda: table_of(
                [_record(card) for card in cards],
                ("model", "layer", "version", "effective_from", "effective_to", *METERS),
            ),
            "history": lambda: table_of([_word(one) for one in said], [*_word(None)]),
        },
    )


def price(sources: Sources, asked: Asked) -> Page:
    """One model's: every tier, the history, and a dry run. Raises NotFound."""
    book, now_us = asked.book, sources.now_us()
    card = book.find(asked.name, now_us)
    if card is None:
        raise NotFound(
            f"No price is known for {asked.name!r}. `gateway prices set` sets one, and"
            " `gateway prices reprice` then prices what was recorded without."
        )
    tiers = _tiers(card)
    more = [name for name in MORE_METERS if any(getattr(rates, name) for _, rates in tiers)]
    tier = asked.one_of("tier", tuple(card.tiers))
    usage = _usage(asked)
    cost = card.cost(usage=usage, tools=NO_TOOLS, service_tier=tier)
    said = Overrides(engine=sources.engine, now_us=sources.now_us).history(card.name)
    records = [{"tier": name, **_units(rates, (*METERS, *MORE_METERS))} for name, rates in tiers]
    return Page(
        template="price.html",
        facts={
            "name": asked.name,
            "card": card,
            "layer": layer_of(card),
            "meters": [*METERS, *more],
            "tiers": tiers,
            "cards": book.cards_of(asked.name),
            "said": said[::-1],
            "fees": [
                (
                    tool,
                    pusd * CALLS_PER_PRICE,
                    "minutes" if tool.startswith("container") else "calls",
                )
                for tool, pusd in card.tool_fees_pusd.items()
            ],
            "dry": {"usage": usage, "tier": tier, "cost": cost},
            "per": TOKENS_PER_PRICE,
        },
        tables={
            "tiers": lambda: table_of(records, ("tier", *METERS, *MORE_METERS)),
            "dry": lambda: table_of(
                bill_lines(cost), ("meter", "quantity", "unit_price_usd", "cost_usd")
            ),
        },
    )


def _tiers(card: ModelPrice) -> list[_Tier]:
    windows = {f"default, within {name}": tier for name, tier in card.windows.items()}
    found: list[_Tier] = []
    for name, tier in {**card.tiers, **windows}.items():
        found.append((name, tier.short))
        if tier.long is not None:
            found.append((f"{name}, input above {card.long_context_threshold_tokens:,}", tier.long))
    return found


def _usage(asked: Asked) -> Usage:
    counts = {name: asked.number(name, default) for name, default in _DRY.items()}
    if max(counts.values()) > _TOKENS_MAX:
        raise InvalidRequest(f"A dry run takes at most {_TOKENS_MAX:,} tokens of each kind.")
    if counts["cached"] > counts["input"]:
        raise InvalidRequest("Cached tokens are a part of the input: there cannot be more of them.")
    return Usage(
        input_tokens=counts["input"],
        cached_tokens=counts["cached"],
        output_tokens=counts["output"],
    )


def _record(card: ModelPrice) -> dict[str, str | None]:
    return {
        "model": card.name,
        "layer": layer_of(card),
        "version": card.version,
        "effective_from": iso_or_none(card.effective_from_us),
        "effective_to": iso_or_none(card.effective_to_us),
        **_units(card.tiers["default"].short, METERS),
    }


def _units(rates: Rates, meters: tuple[str, ...]) -> dict[str, str | None]:
    """USD a million tokens."""
    units = {name: getattr(rates, name) for name in meters}
    return {
        name: None if pusd is None else to_usd(pusd * TOKENS_PER_PRICE)
        for name, pusd in units.items()
    }


def _word(said: Said | None) -> dict[str, str | int | None]:
    if said is None:
        return dict.fromkeys(("number", "at", "by", "model", "from", "to", "default_tier", "note"))
    return {
        "number": said.n,
        "at": iso(said.at_us),
        "by": said.author,
        "model": said.model,
        "from": iso(said.effective_from_us),
        "to": iso_or_none(said.effective_to_us),
        "default_tier": default_tier(said),
        "note": said.note,
    }
