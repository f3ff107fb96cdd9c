"""What the budgets in force come to, for the command line and metrics. Reads only.

Not here: setting them (`budgets`), or holding and spending of them.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from gateway.adapters import schema
from gateway.adapters.legs import budget_from
from gateway.adapters.reports import is_within
from gateway.core.budget import Account, Budget
from gateway.core.period import PERIODS, period_at

_CURRENT = "current_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A budget in force and what its current period comes to."""

    tenant: str  # itself, or whose key it is
    budget: Budget
    account: Account


def standings(
    connection: Connection,
    now_us: int,
    *,
    subjects: Collection[str] | None = None,
    within: str | None = None,
) -> list[Standing]:
    """Every budget in force, or those of some tenants and keys, or of a tenant with all below it.

    As a tree, keys after tenants.
    """
    budget, key, current = schema.budget.c, schema.api_key.c, schema.budget_period
    begun = schema.budget_period.alias()
    # Found by the primary key: a budget may have had thousands of periods.
    newest_us = (
        select(func.max(begun.c.period_start_us))
        .where(begun.c.budget_id == budget.id, begun.c.period_start_us <= now_us)
        .correlate(schema.budget)
        .scalar_subquery()
    )
    is_newest = and_(current.c.budget_id == budget.id, current.c.period_start_us == newest_us)
    query = (
        select(
            schema.budget,
            func.coalesce(key.tenant, budget.subject).label("tenant"),
            *(column.label(_CURRENT + column.name) for column in current.c),
        )
        .select_from(schema.budget)
        .outerjoin(current, is_newest)
        .outerjoin(schema.api_key, key.id == budget.subject)
        .where(budget.ended_at_us.is_(None))
    )
    if subjects is not None:
        query = query.where(budget.subject.in_(subjects))
    if within is not None:
        query = query.where(or_(is_within(key.tenant, within), is_within(budget.subject, within)))
    rows = connection.execute(query).mappings()
    return sorted((_standing(row, now_us) for row in rows), key=_place)


def _standing(row: RowMapping, now_us: int) -> Standing:
    budget = budget_from(row)
    current = {
        name.removeprefix(_CURRENT): value
        for name, value in row.items()
        if name.startswith(_CURRENT)
    }
    end_us = current["period_end_us"]
    if current["budget_id"] is None or (end_us is not None and end_us <= now_us):
        # Nothing was held of it in this period.
        period = period_at(budget.period, budget.zone, now_us, after_us=end_us)
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
