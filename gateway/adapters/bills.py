"""What stands beside an entry: what became known of it later, and the budgets that it counts in.

Reads only. Not here: the entry itself (`reports`).
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, or_, select

from gateway.adapters import schema
from gateway.adapters.legs import budget_from
from gateway.adapters.rows import legs_from_text, lines_from_text
from gateway.core.budget import Account, Budget, Leg
from gateway.core.cost import CostLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A later correction, as it was posted."""

    kind: str
    delta_pusd: int
    at_us: int
    note: str
    price_version: str | None
    lines: tuple[CostLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """All that belongs to an entry, oldest first; the widest budget first."""

    adjustments: tuple[Adjustment, ...]
    budgets: tuple[tuple[Budget, Account], ...]


def beside(engine: Engine, request_id: str) -> Beside:
    """What stands beside an entry."""
    with engine.connect() as connection:
        table = schema.adjustment
        query = select(table).where(table.c.request_id == request_id).order_by(table.c.at_us)
        adjustments = tuple(
            Adjustment(
                kind=row.kind,
                delta_pusd=row.delta_pusd,
                at_us=row.at_us,
                note=row.note,
                price_version=row.price_version,
                lines=lines_from_text(row.lines),
            )
            for row in connection.execute(query)
        )
        legs = select(schema.entry.c.legs).where(schema.entry.c.request_id == request_id)
        text = connection.scalar(legs) or "[]"
        return Beside(adjustments=adjustments, budgets=_budgets(connection, legs_from_text(text)))


def _budgets(connection: Connection, legs: Collection[Leg]) -> tuple[tuple[Budget, Account], ...]:
    """Also those that have ended since."""
    if not legs:
        return ()
    budget, period = schema.budget, schema.budget_period
    is_leg = or_(
        *(and_(period.c.budget_id == name, period.c.period_start_us == us) for name, us in legs)
    )
    accounts = {
        row["budget_id"]: Account(**row)
        for row in connection.execute(select(period).where(is_leg)).mappings()
    }
    query = select(budget).where(budget.c.id.in_(accounts)).order_by(budget.c.id)
    rows = connection.execute(query).mappings()
    return tuple((budget_from(row), accounts[row["id"]]) for row in rows)
