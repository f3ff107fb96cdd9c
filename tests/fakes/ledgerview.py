"""What is in a ledger's tables, and the law that binds them."""

import json
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
    """No id is both held and posted; hours and budgets are the sums of what counts there."""
    assert not ids(engine, schema.hold) & ids(engine, schema.entry)
    assert rollup(engine) == summed(engine)
    held, spent = by_leg(engine)
    for row in rows(engine, schema.budget_period):
        leg = row["budget_id"], row["period_start_us"]
        assert row["held_pusd"] == held.pop(leg, 0), leg
        assert row["spent_pusd"] == spent.pop(leg, 0), leg
        taken = row["spent_pusd"] + row["held_pusd"]
        assert not row["is_hard"] or taken <= row["limit_pusd"] + row["excess_pusd"]
    assert not held
    assert not spent


def by_leg(engine: Engine) -> tuple[Counter[Any], Counter[Any]]:
    """What holds and entries say is held and spent of each budget's period."""
    held: Counter[Any] = Counter()
    spent: Counter[Any] = Counter()
    for row in rows(engine, schema.hold):
        for leg in json.loads(row["legs"]):
            held[tuple(leg)] += row["hold_pusd"]
    corrected = corrections(engine)
    for row in rows(engine, schema.entry):
        cost_pusd = row["hold_pusd"] if row["cost_pusd"] is None else row["cost_pusd"]
        for leg in json.loads(row["legs"]):
            spent[tuple(leg)] += cost_pusd + corrected[row["request_id"]]
    return held, spent


def corrections(engine: Engine) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows(engine, schema.adjustment):
        found[row["request_id"]] += row["delta_pusd"]
    return found


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
    corrected = corrections(engine)
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
        counts["cost_pusd"] += corrected[row["request_id"]]
    return {cell: +counts for cell, counts in cells.items()}


def _cell(row: RowMapping) -> Any:
    return tuple(row[name] for name in ("hour", "tenant", "key_id", "model", "service_tier"))


def _counts(row: RowMapping, names: tuple[str, ...]) -> Counter[str]:
    return +Counter({name: row[name] for name in ("requests", "unpriced", *names)})
