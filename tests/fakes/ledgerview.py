"""What is in a ledger's tables, and the law that binds them."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Table, select, text

from gateway.adapters import schema
from gateway.core.budget import Leg

Source = Engine | Connection  # a connection: within what it sees

SUMS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_pusd",
)  # fmt: skip


def rows(source: Source, table: Table) -> list[RowMapping]:
    if isinstance(source, Connection):
        return list(source.execute(select(table)).mappings())
    with source.connect() as connection:
        return rows(connection, table)


def ids(source: Source, table: Table) -> set[str]:
    return {row["request_id"] for row in rows(source, table)}


def audit(source: Source) -> None:
    """No id is both held and posted; hours and budgets are the sums of what counts there."""
    if isinstance(source, Engine):
        with source.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
                # Adding up a hundred thousand entries may take longer than the gateway would idle.
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            audit(connection)  # at one moment: a ledger may still be at work
        return
    assert not ids(source, schema.hold) & ids(source, schema.entry)
    assert rollup(source) == summed(source)
    held, spent = by_leg(source)
    for row in rows(source, schema.budget_period):
        leg = row["budget_id"], row["period_start_us"]
        assert row["held_pusd"] == held.pop(leg, 0), leg
        assert row["spent_pusd"] == spent.pop(leg, 0), leg
        taken = row["spent_pusd"] + row["held_pusd"]
        assert not row["is_hard"] or taken <= row["limit_pusd"] + row["excess_pusd"]
    assert not held
    assert not spent


def accounts(source: Source) -> dict[Leg, tuple[int, bool, int, int, int]]:
    """Limit, whether it is hard, and what is held, spent and excess, of every budget's period."""
    return {
        (row["budget_id"], row["period_start_us"]): (
            row["limit_pusd"],
            row["is_hard"],
            row["held_pusd"],
            row["spent_pusd"],
            row["excess_pusd"],
        )
        for row in rows(source, schema.budget_period)
    }


def by_leg(source: Source) -> tuple[Counter[Any], Counter[Any]]:
    """What holds and entries say is held and spent of each budget's period."""
    held: Counter[Any] = Counter()
    spent: Counter[Any] = Counter()
    for row in rows(source, schema.hold):
        for leg in json.loads(row["legs"]):
            held[tuple(leg)] += row["hold_pusd"]
    corrected, priced = corrections(source), repriced(source)
    for row in rows(source, schema.entry):
        is_unpriced = row["cost_pusd"] is None and row["request_id"] not in priced
        cost_pusd = row["hold_pusd"] if is_unpriced else row["cost_pusd"] or 0
        for leg in json.loads(row["legs"]):
            spent[tuple(leg)] += cost_pusd + corrected[row["request_id"]]
    return held, spent


def corrections(source: Source) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows(source, schema.adjustment):
        found[row["request_id"]] += row["delta_pusd"]
    return found


def repriced(source: Source) -> set[str]:
    """What had no price, and got one."""
    return {
        row["request_id"] for row in rows(source, schema.adjustment) if row["kind"] == "repriced"
    }


def assert_kept(source: Source, promised: Iterable[str]) -> None:
    """What `ledgerload` said is there, once."""
    holds, entries = ids(source, schema.hold), ids(source, schema.entry)
    places = {"hold": holds | entries, "entry": entries}
    for line in promised:
        what, _, request_id = line.partition(" ")
        assert request_id in places[what], line
    audit(source)


def rollup(source: Source) -> dict[Any, Counter[str]]:
    return {_cell(row): _counts(row, SUMS) for row in rows(source, schema.usage_hour)}


def summed(source: Source) -> dict[Any, Counter[str]]:
    cells: dict[Any, Counter[str]] = {}
    corrected, priced = corrections(source), repriced(source)
    for row in rows(source, schema.entry):
        cell = (
            row["created_at_us"] // schema.HOUR_US,
            row["tenant"],
            row["key_id"],
            row["priced_model"] or "other",
            row["service_tier"] or "",
        )
        counts = cells.setdefault(cell, Counter())
        counts["requests"] += 1
        counts["unpriced"] += row["cost_pusd"] is None and row["request_id"] not in priced
        for name in SUMS:
            counts[name] += row[name] or 0
        counts["cost_pusd"] += corrected[row["request_id"]]
    return {cell: +counts for cell, counts in cells.items()}


def _cell(row: RowMapping) -> Any:
    return tuple(row[name] for name in ("hour", "tenant", "key_id", "model", "service_tier"))


def _counts(row: RowMapping, names: tuple[str, ...]) -> Counter[str]:
    return +Counter({name: row[name] for name in ("requests", "unpriced", *names)})
