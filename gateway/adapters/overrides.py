"""Prices that administrators set while gateways run: dated rows, of which none is ever changed.

Who set what, and when, is therefore kept by itself. Not here: whose word counts where several
overlap (`core.layers`), or what a price file may say (`pricefile`).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, insert, select

from gateway.adapters import schema
from gateway.adapters.audit import PROGRAM, Deed, record_deed
from gateway.adapters.changes import PRICE, record_change
from gateway.adapters.clock import database_us
from gateway.adapters.database import Source, reading, write_transaction
from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import cards_of
from gateway.core.layers import DATABASE, Override, overlaid, version_of
from gateway.core.moment import iso, iso_or_none
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice

# What is said to begin now begins when every gateway has heard of it: a request is then priced by
# the moment of its admission, whichever of them admits it.
HEARD_US = 2_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A row of `schema.price_override`. Times are Unix microseconds."""

    n: int
    model: str
    effective_from_us: int
    effective_to_us: int | None
    document: str | None  # None: from then on what the files say
    at_us: int
    author: str
    note: str


class Overrides:
    """The administrator's verbs. Synchronous, one transaction each. `author` is for the audit."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str = PROGRAM) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

    def say(
        self,
        model: str,
        document: bytes | None,
        *,
        from_us: int | None,
        to_us: int | None,
        author: str,
        note: str,
    ) -> Said:
        """Set a model's price for a span, by default from as soon as all can know of it.

        Raises ValueError (PriceFileInvalid) for a document or a span that cannot be.
        """
        if document is not None and not cards_of(document, model, where=model, version=""):
            raise PriceFileInvalid(f"{model}: the file has no prices of it")
        with write_transaction(self._engine) as connection:
            # First, because it lets administrators in one by one: rows are then read in order.
            record_change(connection, PRICE, model)
            told_us = database_us(connection)
            now_us = self._now_us() if told_us is None else told_us
            begins_us = now_us + HEARD_US if from_us is None else from_us
            if to_us is not None and to_us <= begins_us:
                raise ValueError("the price would end before it begins: give a later --to")
            row = {
                "model": model,
                "effective_from_us": begins_us,
                "effective_to_us": to_us,
                "document": None if document is None else document.decode(),
                "at_us": now_us,
                "author": author,
                "note": note,
            }
            written = insert(schema.price_override).values(**row).returning(schema.price_override)
            said = Said(**connection.execute(written).mappings().one())
            self._record(connection, said)
            return said

    def history(self, model: str | None = None) -> list[Said]:
        """All that was said, of one model or of every, in its order."""
        with reading(self._engine) as connection:
            return _rows(connection, model)

    def _record(self, connection: Connection, said: Said) -> None:
        deed = Deed(
            author=self._author,
            at_us=said.at_us,
            action="price.unset" if said.document is None else "price.set",
            subject=said.model,
            tenant=None,
            after=override_document(said),
        )
        record_deed(connection, deed)


def plain_document(
    model: str,
    usd: Mapping[str, str],
    book: PriceBook,
    *,
    like: str | None = None,
    source: str,
) -> bytes:
    """The document of a price of one tier, in USD for 1,000,000 tokens.

    The limits are another model's, or the model's own so far. Raises ValueError.
    """
    cards = book.cards_of(like or model)
    if not cards:
        raise ValueError(f"{like or model} is not in the book: name a model that it is like")
    newest = cards[-1]
    if "output" not in usd and newest.tiers["default"].short.output is not None:
        raise ValueError(f"{model} has output too: say what it costs, or give a price file")
    table = {
        "input_tokens_max": newest.input_tokens_max,
        "output_tokens_max": newest.output_tokens_max,
        "image_tokens_max": newest.image_tokens_max,
        "prices": [{"source": source, "default": usd}],
    }
    document = {"as_of": datetime.now(UTC).date(), "models": {model: table}}
    if newest.prompt_overhead_tokens is not None:
        document["prompt_overhead_tokens"] = newest.prompt_overhead_tokens
    return msgspec.json.encode(document)


def override_document(said: Said) -> dict[str, object]:
    """What was said, as scripts know it."""
    document = None if said.document is None else msgspec.json.decode(said.document)
    default = document and document["models"][said.model]["prices"][0]["default"]
    return {
        "number": said.n,
        "at": iso(said.at_us),
        "by": said.author,
        "model": said.model,
        "from": iso(said.effective_from_us),
        "to": iso_or_none(said.effective_to_us),
        "default_tier": "unset" if default is None else _in_words(default),
        "note": said.note,
        "document": document,
    }


def _in_words(units: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {usd}" for name, usd in units.items())


def laid_over(source: Source, files: PriceBook) -> PriceBook:
    """The files' book with what administrators said laid over it."""
    with reading(source) as connection:
        return overlaid(files, overrides_in(connection))


def overrides_in(connection: Connection) -> tuple[Override, ...]:
    """What was said, as it is laid over the book."""
    return tuple(
        Override(
            number=row.n,
            model=row.model,
            from_us=row.effective_from_us,
            to_us=row.effective_to_us,
            cards=None if row.document is None else _cards(row, row.document),
        )
        for row in _rows(connection, None)
    )


def _cards(row: Said, document: str) -> tuple[ModelPrice, ...]:
    version = version_of(DATABASE, row.n)
    try:
        return cards_of(document.encode(), row.model, where=version, version=version)
    except PriceFileInvalid:
        # Of a later version: no price at all, rather than one that was taken back.
        log.exception("the price of %s cannot be read: its requests are refused", row.model)
        return ()


def _rows(connection: Connection, model: str | None) -> list[Said]:
    query = select(schema.price_override).order_by(schema.price_override.c.n)
    if model is not None:
        query = query.where(schema.price_override.c.model == model)
    return [Said(**row) for row in connection.execute(query).mappings()]
