"""Prices that administrators set while gateways run: dated rows, of which none is ever changed.

Who set what, and when, is therefore kept by itself. Not here: whose word counts where several
overlap (`core.layers`), or what a price file may say (`pricefile`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select

from gateway.adapters import schema
from gateway.adapters.changes import PRICE, record_change
from gateway.adapters.clock import database_us
from gateway.adapters.database import write_transaction
from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import cards_of
from gateway.core.layers import DATABASE, Override, version_of
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
    """The administrator's verbs. Synchronous, one transaction each."""

    def __init__(self, *, engine: Engine, now_us: Callable[[], int]) -> None:
        self._engine = engine
        self._now_us = now_us

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
            return Said(**connection.execute(written).mappings().one())

    def history(self, model: str | None = None) -> list[Said]:
        """All that was said, of one model or of every, in its order."""
        with self._engine.connect() as connection:
            return _rows(connection, model)


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
