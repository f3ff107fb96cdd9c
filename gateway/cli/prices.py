"""`gateway prices`: what the book says, and whether a file of the operator's can join it."""

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.price_views import METERS, OTHER_METERS, card_document
from gateway.cli.access import now_us
from gateway.cli.book import book_in_force, files_book
from gateway.cli.exits import CheckFailed
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.cli.price_overrides import history, set_price, unset
from gateway.cli.reprice import reprice
from gateway.core.layers import layer_of
from gateway.core.moment import iso
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.price_book import PriceBook
    from gateway.core.prices import ModelPrice, Rates

app = verb_group(words="What the upstream's models cost.")
app.command("set")(set_price)
app.command()(unset)
app.command()(history)
app.command()(reprice)

_TOKENS_PER_PRICE = 1_000_000
_CALLS_PER_PRICE = 1_000


@app.command("list")
def list_prices(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every model's prices in force now: USD per million tokens of the default tier."""
    book = book_in_force(config)
    cards = book.in_force(now_us())
    if json:
        print_json([card_document(card) for card in cards])
        return
    talk(f"price book {book.version}, USD per million tokens, default tier")
    print_table(
        ["model", *METERS],
        [[card.name, *_per_million(card.tiers["default"].short)] for card in cards],
    )


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A price file (TOML).")]) -> None:
    """What a price file would change; all that is wrong where it cannot be used, and what to do."""
    from gateway.adapters.price_check import mistakes
    from gateway.adapters.price_format import PriceFileInvalid

    try:
        wrong = mistakes(file)
    except PriceFileInvalid as unreadable:
        raise CheckFailed(str(unreadable)) from None
    if wrong:
        raise CheckFailed("\n".join(f"{file}: {one}" for one in wrong))
    built_in, book = files_book(None), files_book(file)
    added = sorted(set(book.names()) - set(built_in.names()))
    changed = sorted(set(book.names()) - set(added) - _unchanged(built_in, book))
    gone = sorted(set(built_in.names()) - set(book.names()))
    for verb, names in (("adds", added), ("replaces", changed), ("removes", gone)):
        if names:
            print(f"{verb} {', '.join(names)}")
    print(f"{file} is valid: {len(book.names())} models with it, version {book.version}")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name, as requests give it.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """One model's prices in force now, every tier, and those of before and to come."""
    book = book_in_force(config)
    card = book.find(model, now_us())
    others = [one for one in book.cards_of(model) if one is not card]
    if card is None:
        close = difflib.get_close_matches(model, book.names(), n=1)
        hint = f"did you mean {close[0]}?" if close else "`gateway prices list` lists all"
        raise CheckFailed(f"no price is known for {model!r}; {hint}")
    if json:
        print_json({**card_document(card), "others": [card_document(one) for one in others]})
    else:
        _print_card(card)
        _print_others(others)


def _unchanged(built_in: "PriceBook", book: "PriceBook") -> set[str]:
    return {
        name
        for name in built_in.names()
        if [replace(card, version="") for card in built_in.cards[name]]
        == [replace(card, version="") for card in book.cards.get(name, ())]
    }


def _print_card(card: "ModelPrice") -> None:
    print(f"model   {card.name}")
    print(f"source  {card.source}")
    print(f"layer   {layer_of(card)}, version {card.version}")
    print(f"dates   in force {_span(card)}")
    print(f"tokens  at most {card.input_tokens_max:,} in and {card.output_tokens_max:,} out")
    for tool, fee_pusd in card.tool_fees_pusd.items():
        what = "minutes" if tool.startswith("container") else "calls"
        print(f"fee     {tool}: {_usd(fee_pusd * _CALLS_PER_PRICE)} USD per 1,000 {what}")
    threshold = card.long_context_threshold_tokens
    print("USD per million tokens:")
    windows = {f"default, within {name}": tier for name, tier in card.windows.items()}
    tiers = {**card.tiers, **windows}
    more = [
        name for name in OTHER_METERS if any(getattr(tier.short, name) for tier in tiers.values())
    ]
    meters = (*METERS, *more)
    rows = []
    for name, tier in tiers.items():
        rows.append([name, *_per_million(tier.short, meters)])
        if tier.long is not None:
            rows.append([f"{name}, input above {threshold:,}", *_per_million(tier.long, meters)])
    print_table(["tier", *meters], rows)


def _per_million(rates: "Rates", meters: tuple[str, ...] = METERS) -> list[str | None]:
    units = [getattr(rates, meter) for meter in meters]
    return [None if unit is None else _usd(unit * _TOKENS_PER_PRICE) for unit in units]


def _usd(pusd: int) -> str:
    """USD for people: no more decimals than it takes, at least two."""
    whole, _, decimals = to_usd(pusd).partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _print_others(cards: "Iterable[ModelPrice]") -> None:
    for card in cards:
        short = card.tiers["default"].short
        units = dict(zip(METERS, _per_million(short), strict=True))
        said = ", ".join(f"{name} {usd}" for name, usd in units.items() if usd)
        print(f"else    {_span(card)}: default {said} ({card.version})")


def _span(card: "ModelPrice") -> str:
    until = "" if card.effective_to_us is None else f" until {_moment(card.effective_to_us)}"
    return f"from {_moment(card.effective_from_us)}{until}"


def _moment(us: int | None) -> str:
    """A day where it is the beginning of one, in UTC."""
    if us is None:
        return "the beginning"
    text = iso(us)
    return text.removesuffix("T00:00:00.000000Z")
