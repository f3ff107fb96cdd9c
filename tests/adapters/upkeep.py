"""Entries of any age, posted as the ledger posts them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select

from gateway.adapters import schema
from gateway.app.proxy import RequestIds
from tests.adapters.test_posting import post, posted
from tests.builders import exchange, hold

_ids = RequestIds()


def post_at(engine: Engine, *at_us: int, ids: Sequence[str] = (), **fields: Any) -> list[str]:
    """Post an exchange admitted at each of these moments; their request ids."""
    names = list(ids) or [_ids.new(one * 1000) for one in at_us]
    for name, one in zip(names, at_us, strict=True):
        settled = exchange(hold=hold(request_id=name, created_at_us=one), **fields)
        post(engine, [posted(settled)])
    return names


def count(engine: Engine, table: Any = schema.entry) -> int:
    """How many rows a table has."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0
