"""What the budgets in force come to, for the command line and metrics. Reads only.

Not here: setting them (`budgets`), or holding and spending of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select

from gateway.adapters import schema
from gateway.adapters.legs import budget_from
from gateway.core.budget import Account, Budget
from gateway.core.period import PERIODS, period_at

_CURRENT = "current_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A budget in force and what its current period comes to."""

    tenant: str  # itself, or whose key it is
    budget: Budget
    account: Account


def budget_name(period: str, models: Sequence[str] | None) -> str:
    """What tells the budgets of one subject apart: `month`, or `month:gpt-5+gpt-5-mini`."""
    return period if models is None else f"{period}:{'+'.join(models)}"


def standings(connection: Connection, now_us: int, *, subject: str | None = None) -> list[Standing]:
    """Every budget in force, or those of one tenant or key: tenants as a tree, then their keys."""
    budget, key, current = schema.budget.c, schema.api_key.c, schema.budget_period
    former = schema.budget_period.alias()
    last_end_us = select(func.max(former.c.period_end_us)).where(former.c.budget_id == budget.id)
    query = (
        select(
            schema.budget,
            func.coalesce(key.tenant, budget.subject).label("tenant"),
            last_end_us.scalar_subquery().label("last_end_us"),
            *(column.label(_CURRENT + column.name) for column in current.c),
        )
        .outerjoin(current, and_(current.c.budget_id == budget.id, is_current(now_us)))
        .outerjoin(schema.api_key, key.id == budget.subject)
        .where(budget.ended_at_us.is_(None))
    )
    if subject is not None:
        query = query.where(budget.subject == subject)
    rows = connection.execute(query).mappings()
    return sorted((_standing(row, now_us) for row in rows), key=_place)


def _standing(row: RowMapping, now_us: int) -> Standing:
    budget = budget_from(row)
    current = {
        name.removeprefix(_CURRENT): value
        for name, value in row.items()
        if name.startswith(_CURRENT)
    }
    if current["budget_id"] is None:  # nothing was held of it in this period
        period = period_at(budget.period, budget.zone, now_us, after_us=row["last_end_us"])
        current = {
            "budget_id": budget.id,
            "period_start_us": period.start_us,
            "period_end_us": period.end_us,
            "is_hard": budget.is_hard,
            "limit_pusd": budget.limit_pusd,
        }
    return Standing(tenant=row["tenant"], budget=budget, account=Account(**current))


def _place(standing: Standing) -> tuple[object, ...]:
    budget = standing.budget
    is_key = budget.subject != standing.tenant
    place = PERIODS.index(budget.period), budget.models or ()
    return standing.tenant.split("/"), is_key, budget.subject, *place


def is_current(now_us: int) -> ColumnElement[bool]:
    """Whether a row of `schema.budget_period` is the one of this moment."""
    table = schema.budget_period.c
    is_open = or_(table.period_end_us.is_(None), table.period_end_us > now_us)
    return and_(table.period_start_us <= now_us, is_open)
