"""Budgets as an administrator's verb leaves them, without the verb."""

from typing import Any

from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.changes import BUDGET, record_change
from gateway.adapters.database import write_transaction
from tests.fakes import ledgerview


def set_budget(engine: Engine, **given: Any) -> str:
    row = {
        "id": "1-org",
        "subject": "acme",
        "period": "month",
        "zone": "UTC",
        "is_hard": True,
        "limit_pusd": 100,
        "models": None,
        "thresholds": "[50,80,100]",
        "created_at_us": 1,
        **given,
    }
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.budget).values(row))
        record_change(connection, BUDGET, row["subject"])
    return str(row["id"])


def figures(engine: Engine, budget_id: str = "1-org") -> tuple[int, int, int]:
    """Held, spent and excess of a budget's only period."""
    (row,) = (
        row
        for row in ledgerview.rows(engine, schema.budget_period)
        if row["budget_id"] == budget_id
    )
    return row["held_pusd"], row["spent_pusd"], row["excess_pusd"]
