"""What is in a ledger's tables, and the law that binds them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, RowMapping, Table, select

from gateway.adapters import schema

SUMS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_pusd",
)  # fmt: skip


def rows(engine: Engine, table: Table) -> list[RowMapping]:
    with engine.connect() as connection:
        return list(connection.execute(select(table)).mappings())


def ids(engine: Engine, table: Table) -> set[str]:
    return {row["request_id"] for row in rows(engine, table)}


def audit(engine: Engine) -> None:
    """No id is both held and posted, and every hour is the sum of its entries."""
    assert not ids(engine, schema.hold) & ids(engine, schema.entry)
    assert rollup(engine) == summed(engine)


def assert_kept(engine: Engine, promised: Iterable[str]) -> None:
    """What `ledgerload` said is there, once."""
    holds, entries = ids(engine, schema.hold), ids(engine, schema.entry)
    places = {"hold": holds | entries, "entry": entries}
    for line in promised:
        what, _, request_id = line.partition(" ")
        assert request_id in places[what], line
    audit(engine)


def rollup(engine: Engine) -> dict[Any, Counter[str]]:
    return {_cell(row): _counts(row, SUMS) for row in rows(engine, schema.usage_hour)}


def summed(engine: Engine) -> dict[Any, Counter[str]]:
    cells: dict[Any, Counter[str]] = {}
    for row in rows(engine, schema.entry):
        cell = (
            row["created_at_us"] // schema.HOUR_US,
            row["tenant"],
            row["key_id"],
            row["priced_model"] or "other",
            row["service_tier"] or "",
        )
        counts = cells.setdefault(cell, Counter())
        counts["requests"] += 1
        counts["unpriced"] += row["cost_pusd"] is None
        for name in SUMS:
            counts[name] += row[name] or 0
    return {cell: +counts for cell, counts in cells.items()}


def _cell(row: RowMapping) -> Any:
    return tuple(row[name] for name in ("hour", "tenant", "key_id", "model", "service_tier"))


def _counts(row: RowMapping, names: tuple[str, ...]) -> Counter[str]:
    return +Counter({name: row[name] for name in ("requests", "unpriced", *names)})
