"""What an operator should have a look at, by what the ledger says. Reads only, each read bounded.

Not here: budgets near their limits (`standings`).
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, func, select, true

from gateway.adapters import schema
from gateway.adapters.reports import is_within

SEEN_MAX = 500  # of the newest requests
REFUSED_MAX = 1_000
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """How many of each."""

    seen: int  # of the newest requests of the last hour
    broken: int  # of these: failed, or broke off
    unpriced: int
    refused: int  # for money, in the last hour
    untold: int  # alerts that were sent and have not arrived; only for the whole gateway


def signs(engine: Engine, *, tenant: str | None, now_us: int) -> Signs:
    """Of one tenant with all below it, or of all."""
    entry, refusal = schema.entry.c, schema.refusal.c
    since_us = now_us - _HOUR_US
    of_entry = true() if tenant is None else is_within(entry.tenant, tenant)
    of_refusal = true() if tenant is None else is_within(refusal.tenant, tenant)
    newest = (
        select(entry.outcome)
        .where(entry.created_at_us >= since_us, of_entry)
        .order_by(entry.created_at_us.desc())
        .limit(SEEN_MAX)
    )
    with engine.connect() as connection:
        outcomes = connection.scalars(newest).all()
        refused = select(refusal.at_us).where(refusal.at_us >= since_us, of_refusal)
        return Signs(
            seen=len(outcomes),
            broken=sum(outcome in {"failed", "aborted"} for outcome in outcomes),
            unpriced=_unpriced(connection, of_entry),
            refused=len(connection.scalars(refused.limit(REFUSED_MAX)).all()),
            untold=0 if tenant is not None else _untold(connection),
        )


def _unpriced(connection: Connection, of_tenant: ColumnElement[bool]) -> int:
    """Entries whose cost is not known, nor became known later."""
    entry, adjustment = schema.entry.c, schema.adjustment.c
    priced = select(adjustment.request_id).where(adjustment.request_id == entry.request_id)
    query = (
        select(entry.request_id)
        .where(entry.cost_pusd.is_(None), of_tenant, ~priced.exists())
        .limit(SEEN_MAX)
    )
    return len(connection.scalars(query).all())


def _untold(connection: Connection) -> int:
    alert = schema.alert.c
    query = select(func.count()).where(alert.attempts > 0, alert.due_at_us.is_not(None))
    return connection.execute(query.select_from(schema.alert)).scalar_one()
