"""What the ledger says: entries and usage, for the command line and the console.

Reads only, each in one transaction, and every sum is exact: SQLite sums many rows as quotient and
remainder, joined here, because its own sum fails beyond 64 bits. A tenant's path stands for
itself and all below it.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Label,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.sql.elements import KeyedColumnElement

from gateway.adapters import schema
from gateway.adapters.rows import lines_from_text
from gateway.adapters.tagged import TAG, tagged_usage
from gateway.core.cost import CostLine

ROWS_MAX = 100
_SPLIT = 10**9
_REMAINDER = "_remainder"
_MODELS = ("model", "served_model", "priced_model")
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
    requested_tier: str | None
    is_stream: bool | None  # None, as the next: of an entry of before it was kept
    max_output_tokens: int | None  # as sent
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
    tags: dict[str, str | None] = field(default_factory=dict)  # as asked for; None: without it
    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_pusd: int
    unpriced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Of which entries. What is None does not matter."""

    until_us: int | None = None
    key_id: str | None = None
    model: str | None = None  # as asked for, as served, or as priced
    outcome: str | None = None
    basis: str | None = None


ALL = EntryFilter()


def entries(
    engine: Engine,
    *,
    tenant: str | None = None,
    since_us: int | None = None,
    limit: int = ROWS_MAX,
    before: tuple[int, str] | None = None,
    only: EntryFilter = ALL,
) -> list[EntryRow]:
    """Entries, newest first. The next page is `before` the last row's created_at_us and id."""
    table = schema.entry.c
    query = _adjusted().order_by(table.created_at_us.desc(), table.request_id.desc())
    if tenant is not None:
        query = query.where(is_within(table.tenant, tenant))
    if since_us is not None:
        query = query.where(table.created_at_us >= since_us)
    query = query.where(*_only(only))
    if before is not None:
        at_us, request_id = before
        same = and_(table.created_at_us == at_us, table.request_id < request_id)
        query = query.where(or_(table.created_at_us < at_us, same))
    with engine.connect() as connection:
        return [_entry(row) for row in connection.execute(query.limit(limit)).mappings()]


def entries_of(engine: Engine, request_ids: Collection[str]) -> list[EntryRow]:
    """The entries of these requests, newest first."""
    table = schema.entry.c
    query = _adjusted().where(table.request_id.in_(request_ids))
    query = query.order_by(table.created_at_us.desc(), table.request_id.desc())
    with engine.connect() as connection:
        return [_entry(row) for row in connection.execute(query).mappings()]


def _only(only: EntryFilter) -> Iterator[ColumnElement[bool]]:
    table = schema.entry.c
    if only.until_us is not None:
        yield table.created_at_us < only.until_us
    for name in ("key_id", "outcome", "basis"):
        if (wanted := getattr(only, name)) is not None:
            yield table[name] == wanted
    if only.model is not None:
        yield or_(*(table[name] == only.model for name in _MODELS))


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
    by: Sequence[str] = (),
    since_us: int | None = None,
    until_us: int | None = None,
    tenant: str | None = None,
) -> list[UsageRow]:
    """Sums by any of tenant, model, day, key and tag:NAME; those by tag read every entry.

    Hours are whole: those that the span touches count.
    """
    is_tagged = any(group.startswith(TAG) for group in by)
    table: FromClause = tagged_usage(by, engine.dialect) if is_tagged else schema.usage_hour
    groups = [_group(table, group) for group in by]
    sums = _exact_sums(table) if engine.dialect.name == "postgresql" else _split_sums(table)
    query = select(*groups, *sums).group_by(*groups).order_by(*groups)
    if since_us is not None:
        query = query.where(table.c.hour >= since_us // schema.HOUR_US)
    if until_us is not None:
        query = query.where(table.c.hour * schema.HOUR_US < until_us)
    if tenant is not None:
        query = query.where(is_within(table.c.tenant, tenant))
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [_usage(row, by) for row in rows if row["requests"] is not None]


def _group(table: FromClause, group: str) -> Label[Any]:
    if group == "day":
        return (table.c.hour // _HOURS_PER_DAY).label("day")
    name = "key_id" if group == "key" else group
    return table.c[name].label(name)


def is_within(column: KeyedColumnElement[Any], path: str) -> ColumnElement[bool]:
    return or_(column == path, column.startswith(f"{path}/", autoescape=True))


def _exact_sums(table: FromClause) -> list[Label[Any]]:
    """PostgreSQL's sums know no bounds."""
    return [func.sum(table.c[name]).label(name) for name in _SUMS]


def _split_sums(table: FromClause) -> list[Label[Any]]:
    """Quotients under the columns' names, remainders beside them."""
    return [
        *(func.sum(table.c[name] // _SPLIT).label(name) for name in _SUMS),
        *(func.sum(table.c[name] % _SPLIT).label(f"{name}{_REMAINDER}") for name in _SUMS),
    ]


def _usage(row: RowMapping, by: Sequence[str]) -> UsageRow:
    sums: dict[str, Any] = {name: int(row[name]) for name in _SUMS}
    if f"{_SUMS[0]}{_REMAINDER}" in row:
        for name in _SUMS:
            sums[name] = sums[name] * _SPLIT + int(row[f"{name}{_REMAINDER}"])
    groups = {name: row[name] for name in ("tenant", "model", "key_id") if name in row}
    if "day" in row:
        day = datetime.fromtimestamp(int(row["day"]) * _DAY_SECONDS, tz=UTC)
        groups["day"] = day.date().isoformat()
    tags = {name.removeprefix(TAG): row[name] for name in by if name.startswith(TAG)}
    return UsageRow(**groups, **sums, tags=tags)


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
    del fields["legs"], fields["unpriced_use"]
    return EntryRow(**fields)
