"""Databases as they are after years: many tenants, keys and entries, written in bulk.

What is multiplied is a row that the gateway's own verbs wrote, so that no table's shape is known
here. Not here: measuring what that costs (`scale`).
"""

import secrets
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, literal_column, select

from bench.systems import PARENT, TENANT
from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.core.tenant import base62, digest, key_text

MONTH_US = 30 * 24 * 3_600_000_000


def add_tenants(engine: Engine, count: int) -> list[str]:
    """Tenants beside the first one, each with its key and a hard budget of its own: their keys."""
    with engine.connect() as connection:
        tenant = _row(connection, schema.tenant, path=TENANT)
        budget = _row(connection, schema.budget, subject=TENANT)
        key = _row(connection, schema.api_key, tenant=TENANT)
    paths = [f"{PARENT}/t{number}" for number in range(count)]
    keys = [_new_key(key, path) for path in paths]
    budgets = ({**budget, "id": f"2-{secrets.token_hex(16)}", "subject": path} for path in paths)
    _write(engine, schema.tenant, ({**tenant, "path": path} for path in paths))
    _write(engine, schema.budget, budgets)
    _write(engine, schema.api_key, (row for row, _ in keys))
    return [text for _, text in keys]


def add_keys(engine: Engine, count: int) -> list[str]:
    """Keys of the one tenant; their texts."""
    with engine.connect() as connection:
        key = _row(connection, schema.api_key, tenant=TENANT)
    keys = [_new_key(key, TENANT) for _ in range(count)]
    _write(engine, schema.api_key, (row for row, _ in keys))
    return [text for _, text in keys]


def add_entries(engine: Engine, count: int) -> None:
    """Entries like one that is there, evenly over the month before, with ids as random as real."""
    table = schema.entry
    numbers = select(literal_column("0").label("n")).cte("numbers", recursive=True)
    following = select(numbers.c.n + 1).where(numbers.c.n + 1 < count)
    numbers = numbers.union_all(following)
    example = select(table).limit(1).subquery()
    at_us = example.c.created_at_us - MONTH_US + numbers.c.n * (MONTH_US // max(1, count))
    given: dict[str, Any] = {
        "request_id": func.printf("01000000-0000-7000-8000-%012x", numbers.c.n),
        "response_id": literal_column("'resp_' || lower(hex(randomblob(25)))"),
        "created_at_us": at_us,
        "settled_at_us": at_us,
    }
    columns = [given.get(column.name, example.c[column.name]) for column in table.columns]
    rows = select(*columns).select_from(numbers.join(example, literal_column("1") == 1))
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("PRAGMA cache_size = -1000000")  # a gibibyte, for the indexes
        names = [column.name for column in table.columns]
        connection.execute(insert(table).from_select(names, rows))


def _row(connection: Connection, table: Table, **where: str) -> dict[str, Any]:
    query = select(table).filter_by(**where).limit(1)
    return dict(connection.execute(query).mappings().one())


def _new_key(example: dict[str, Any], tenant: str) -> tuple[dict[str, Any], str]:
    key_id = base62(secrets.randbelow(62**12), 12)
    text = key_text(key_id, base62(secrets.randbelow(62**43), 43))
    return {**example, "id": key_id, "tenant": tenant, "digest": digest(text)}, text


def _write(engine: Engine, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    with write_transaction(engine) as connection:
        connection.execute(insert(table), list(rows))
