"""`/prices` and `/price-overrides`: what models cost, and what administrators said of that."""

from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter

from gateway.adapters.overrides import override_document, plain_document
from gateway.adapters.price_views import card_document
from gateway.app.admin.desk import Desk, Pricing, Reading, off_loop, refusals
from gateway.app.admin.pages import ROWS, After, Limit, Page, page_of_all
from gateway.app.admin.shapes import Override, PriceCard, PriceCards, PriceGiven, Text
from gateway.app.admin.tenants import moment_us
from gateway.app.health import ADMIN
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.grant import PRICES, READ

router = APIRouter(tags=[ADMIN])


@router.get("/prices", response_model=Page[PriceCard])
@off_loop
def list_prices(desk: Reading, limit: Limit = ROWS, after: After = None) -> Any:
    """Every model's prices in force now."""
    cards = desk.book.in_force(desk.office.now_us())
    return page_of_all(
        cards, (limit, after), place=lambda card: (card.name,), document=card_document
    )


@router.get("/prices/{model:path}", response_model=PriceCards)
@off_loop
def show_price(desk: Reading, model: str) -> Any:
    """One model's prices in force now, and those of before and to come."""
    book = desk.book
    card = book.find(model, desk.office.now_us())
    if card is None:
        raise NotFound(f"No price is known for {model!r}.")
    others = [card_document(one) for one in book.cards_of(model) if one is not card]
    return {**card_document(card), "others": others}


@router.put("/prices/{model:path}", response_model=Override)
@off_loop
def set_price(desk: Pricing, model: str, given: PriceGiven) -> Any:
    """Set a model's price, for good or for a span."""
    desk.everything(PRICES)
    with refusals():
        document = _document(desk, model, given)
        said = desk.overrides.say(
            model,
            document,
            from_us=_us(given.from_),
            to_us=_us(given.to),
            author=desk.grant.by,
            note=given.note,
        )
    return override_document(said)


@router.delete("/prices/{model:path}", response_model=Override)
@off_loop
def unset_price(desk: Pricing, model: str, note: Text = "") -> Any:
    """Let the files say again what a model costs, from as soon as all can know of it."""
    desk.everything(PRICES)
    with refusals():
        said = desk.overrides.say(
            model, None, from_us=None, to_us=None, author=desk.grant.by, note=note
        )
    return override_document(said)


@router.get("/price-overrides", response_model=Page[Override])
@off_loop
def list_overrides(
    desk: Reading, model: str | None = None, limit: Limit = ROWS, after: After = None
) -> Any:
    """What was set and unset, by whom and when, oldest first."""
    desk.everything(READ)
    return page_of_all(
        desk.overrides.history(model),
        (limit, after),
        place=lambda said: (said.n,),
        document=override_document,
    )


def _document(desk: Desk, model: str, given: PriceGiven) -> bytes:
    if (given.document is None) == (not given.usd_per_million):
        raise InvalidRequest("Give usd_per_million, or a whole document.")
    if given.document is not None:
        return msgspec.json.encode(given.document)
    usd = {str(name): amount for name, amount in (given.usd_per_million or {}).items()}
    source = given.source or f"set by {desk.grant.by}"
    return plain_document(model, usd, desk.book, like=given.like, source=source)


def _us(at: datetime | None) -> int | None:
    return None if at is None else moment_us(at)
