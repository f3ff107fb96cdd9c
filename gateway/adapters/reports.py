"""What the ledger says: entries, usage, totals, for the command line, metrics and the console.

Reads only, each in one transaction, and every sum is exact: many rows are summed as quotient and
remainder and joined here, because SQLite's own sum fails beyond 64 bits. A tenant's path stands for
itself and all below it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Label,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
)

from gateway.adapters import schema
from gateway.adapters.rows import lines_from_text
from gateway.core.cost import CostLine

By = Literal["tenant", "model", "day", "key"]
Window = Literal["today", "month"]

ROWS_MAX = 100
_SPLIT = 10**9
_HOURS_PER_DAY = 24
_DAY_SECONDS = 86_400
_SUMS = (
    "requests", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost_pusd", "unpriced",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An entry as it was posted. Times are Unix microseconds."""

    request_id: str
    created_at_us: int
    settled_at_us: int
    tenant: str
    key_id: str
    endpoint: str
    response_id: str | None
    model: str  # as asked for
    served_model: str | None
    priced_model: str | None
    service_tier: str | None  # as served
    outcome: str
    reason: str | None
    client_gone: bool
    recoverable: bool
    basis: str
    problem: str | None
    http_status: int | None
    upstream_request_id: str | None
    input_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_pusd: int | None
    adjustment_pusd: int | None  # what became known later: it is to be added to the cost
    hold_pusd: int
    price_version: str | None
    lines: tuple[CostLine, ...]
    tags: dict[str, str]
    duration_us: int
    first_byte_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Sums over the hours asked for. What was not asked to be told apart is None."""

    tenant: str | None = None
    model: str | None = None
    day: str | None = None  # ISO 8601, UTC
    key_id: str | None = None
    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_pusd: int
    unpriced: int


def entries(
    engine: Engine,
    *,
    tenant: str | None = None,
    since_us: int | None = None,
    limit: int = ROWS_MAX,
    before: tuple[int, str] | None = None,
) -> list[EntryRow]:
    """Entries, newest first. The next page is `before` the last row's created_at_us and id."""
    table = schema.entry.c
    query = _adjusted().order_by(table.created_at_us.desc(), table.request_id.desc())
    if tenant is not None:
        query = query.where(_is_within(table.tenant, tenant))
    if since_us is not None:
        query = query.where(table.created_at_us >= since_us)
    if before is not None:
        at_us, request_id = before
        same = and_(table.created_at_us == at_us, table.request_id < request_id)
        query = query.where(or_(table.created_at_us < at_us, same))
    with engine.connect() as connection:
        return [_entry(row) for row in connection.execute(query.limit(limit)).mappings()]


def entry(engine: Engine, request_or_response_id: str) -> EntryRow | None:
    """One entry, by our id or by the upstream's."""
    table = schema.entry.c
    query = (
        _adjusted()
        .where(
            or_(
                table.request_id == request_or_response_id,
                table.response_id == request_or_response_id,
            )
        )
        .order_by(table.created_at_us)
        .limit(1)
    )
    with engine.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _entry(row)


def usage(
    engine: Engine,
    *,
    by: Sequence[By] = (),
    since_us: int | None = None,
    until_us: int | None = None,
    tenant: str | None = None,
) -> list[UsageRow]:
    """Sums by tenant, model, day or key. Hours are whole: those that the span touches count."""
    table = schema.usage_hour.c
    groups: list[Label[Any]] = [_GROUPS[one] for one in by]
    query = select(*groups, *_sums()).group_by(*groups).order_by(*groups)
    if since_us is not None:
        query = query.where(table.hour >= since_us // schema.HOUR_US)
    if until_us is not None:
        query = query.where(table.hour * schema.HOUR_US < until_us)
    if tenant is not None:
        query = query.where(_is_within(table.tenant, tenant))
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [_usage(row) for row in rows if row["requests_quotient"] is not None]


def cost_totals(engine: Engine, now_us: int) -> dict[tuple[str, Window], int]:
    """Every tenant's own cost today and this month, in UTC, zero where there was none."""
    now = datetime.fromtimestamp(now_us // 1_000_000, tz=UTC)
    midnight = now.replace(hour=0, minute=0, second=0)
    begins: dict[Window, datetime] = {"today": midnight, "month": midnight.replace(day=1)}
    with engine.connect() as connection:
        paths = connection.scalars(select(schema.tenant.c.path)).all()
    totals = {(path, window): 0 for path in paths for window in begins}
    for window, begin in begins.items():
        since_us = int(begin.timestamp()) * 1_000_000
        for row in usage(engine, by=("tenant",), since_us=since_us):
            totals[str(row.tenant), window] = row.cost_pusd
    return totals


_GROUPS: dict[By, Label[Any]] = {
    "tenant": schema.usage_hour.c.tenant.label("tenant"),
    "model": schema.usage_hour.c.model.label("model"),
    "day": (schema.usage_hour.c.hour // _HOURS_PER_DAY).label("day"),
    "key": schema.usage_hour.c.key_id.label("key_id"),
}


def _is_within(column: Column[str], path: str) -> ColumnElement[bool]:
    return or_(column == path, column.startswith(f"{path}/", autoescape=True))


def _sums() -> list[Label[Any]]:
    parts: list[Label[Any]] = []
    for name in _SUMS:
        column = schema.usage_hour.c[name]
        parts.append(func.sum(column // _SPLIT).label(f"{name}_quotient"))
        parts.append(func.sum(column % _SPLIT).label(f"{name}_remainder"))
    return parts


def _usage(row: RowMapping) -> UsageRow:
    sums: dict[str, Any] = {
        name: int(row[f"{name}_quotient"]) * _SPLIT + int(row[f"{name}_remainder"])
        for name in _SUMS
    }
    groups = {name: row[name] for name in ("tenant", "model", "key_id") if name in row}
    if "day" in row:
        day = datetime.fromtimestamp(int(row["day"]) * _DAY_SECONDS, tz=UTC)
        groups["day"] = day.date().isoformat()
    return UsageRow(**groups, **sums)


def _adjusted() -> Select[tuple[Any, ...]]:
    table = schema.adjustment.c
    delta = select(func.sum(table.delta_pusd)).where(table.request_id == schema.entry.c.request_id)
    return select(schema.entry, delta.scalar_subquery().label("adjustment_pusd"))


def _entry(row: RowMapping) -> EntryRow:
    fields = dict(row)
    if fields["adjustment_pusd"] is not None:
        fields["adjustment_pusd"] = int(fields["adjustment_pusd"])  # PostgreSQL sums as decimals
    fields["lines"] = lines_from_text(fields["lines"])
    fields["tags"] = json.loads(fields["tags"])
    del fields["legs"]
    return EntryRow(**fields)
