"""What was served and priced, entry by entry, for those who ask what it might have cost.

Reads only, a page at a time: a ledger may be larger than memory. Not here: sums (`reports`).
"""

from collections.abc import Iterator

from sqlalchemy import Engine, select, tuple_

from gateway.adapters import schema
from gateway.adapters.reports import is_within
from gateway.adapters.rows import lines_from_text
from gateway.core.advice import Served
from gateway.core.price_book import PriceBook

PAGE_ROWS = 1_000


def traffic(
    engine: Engine, book: PriceBook, *, since_us: int | None = None, tenant: str | None = None
) -> Iterator[Served | None]:
    """All that was priced line by line, oldest first; None for what the book has no price of."""
    table = schema.entry.c
    order = (table.created_at_us, table.request_id)
    query = (
        select(
            *order,
            table.priced_model,
            table.service_tier,
            table.max_output_tokens,
            table.is_stream,
            table.lines,
        )
        .where(table.cost_pusd.is_not(None), table.lines != "[]")
        .order_by(*order)
        .limit(PAGE_ROWS)
    )
    if since_us is not None:
        query = query.where(table.created_at_us >= since_us)
    if tenant is not None:
        query = query.where(is_within(table.tenant, tenant))
    page = query
    while True:
        with engine.connect() as connection:
            rows = connection.execute(page).all()
        for row in rows:
            price = book.find(row.priced_model, row.created_at_us)
            yield (
                None
                if price is None
                else Served(
                    price=price,
                    lines=lines_from_text(row.lines),
                    service_tier=row.service_tier,
                    max_output_tokens=row.max_output_tokens,
                    is_stream=bool(row.is_stream),
                )
            )
        if len(rows) < PAGE_ROWS:
            return
        page = query.where(tuple_(*order) > (rows[-1].created_at_us, rows[-1].request_id))
