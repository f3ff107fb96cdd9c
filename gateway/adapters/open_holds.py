"""The holds that are open: whose they are, how old, and whether their process lives. Reads only.

Not here: resolving those of the dead (`owners`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, func, select, tuple_

from gateway.adapters import schema
from gateway.adapters.clock import database_us
from gateway.adapters.reports import is_within
from gateway.adapters.rows import hold_from_row
from gateway.core.exchange import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """A request that is under way, or whose process died. Times are in microseconds."""

    request_id: str
    tenant: str
    key_id: str
    endpoint: str
    model: str
    hold_pusd: int
    created_at_us: int
    age_us: int
    response_id: str | None
    owner: str
    host: str | None  # None: the owner has signed off
    pid: int | None
    has_lease: bool


def open_hold(engine: Engine, response_id: str) -> Hold | None:
    """The hold of a response; None where it is settled, or was never known by that name."""
    query = select(schema.hold).where(schema.hold.c.response_id == response_id).limit(1)
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else hold_from_row(row)


def open_holds(
    engine: Engine,
    now_us: Callable[[], int],
    *,
    tenant: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
) -> list[OpenHold]:
    """Every open hold, or a tenant's with all below it, oldest first.

    Ages and leases are by the database's clock. A page is `after` the last row's created_at_us and
    id.
    """
    hold, owner = schema.hold.c, schema.owner.c
    columns = (
        hold.request_id,
        hold.tenant,
        hold.key_id,
        hold.endpoint,
        hold.model,
        hold.hold_pusd,
        hold.created_at_us,
        hold.response_id,
        hold.owner,
        owner.host,
        owner.pid,
    )
    query = (
        select(*columns, func.coalesce(owner.lease_until_us, 0).label("lease_until_us"))
        .outerjoin_from(schema.hold, schema.owner, owner.id == hold.owner)
        .order_by(hold.created_at_us, hold.request_id)
        .limit(limit)
    )
    if tenant is not None:
        query = query.where(is_within(hold.tenant, tenant))
    if after is not None:
        query = query.where(tuple_(hold.created_at_us, hold.request_id) > tuple_(*after))
    with engine.connect() as connection:
        told_us = database_us(connection)
        rows = connection.execute(query).mappings().all()
    at_us = now_us() if told_us is None else told_us
    return [
        OpenHold(
            **{column.name: row[column.name] for column in columns},
            age_us=max(0, at_us - row["created_at_us"]),
            has_lease=row["lease_until_us"] > at_us,
        )
        for row in rows
    ]
