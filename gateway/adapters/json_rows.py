"""Rows as the one JSON parameter of a statement to PostgreSQL. Not here: the statements."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Table

from gateway.adapters import schema
from gateway.adapters.rows import Row

_NAMES = {table.name: table.columns.keys() for table in schema.metadata.tables.values()}

encode = msgspec.json.Encoder().encode


def records(table: Table, rows: Iterable[Row]) -> bytes:
    """Rows of a table, for `json_populate_recordset`."""
    names = _NAMES[table.name]
    return encode([dict(zip(names, row, strict=True)) for row in rows])


def usage_added() -> str:
    """What becomes of an hour that is there already."""
    table = schema.usage_hour
    cell = ", ".join(column.name for column in table.primary_key)
    counts = [column.name for column in table.columns if not column.primary_key]
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in counts)
    return f"ON CONFLICT ({cell}) DO UPDATE SET {sums}"
