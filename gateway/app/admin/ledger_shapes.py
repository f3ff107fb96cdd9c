"""What the admin API says of the ledger: holds, usage, entries, bills, alerts, and the audit.

Names are those of the command line's JSON, and money is a decimal string. Not here: what
administrators change (`shapes`).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict, Field

from gateway.app.admin.pages import ROWS, After, Limit
from gateway.app.admin.shapes import Given, Moment, Text, Told, Usd

Since = Annotated[datetime | None, Query(description="From this moment on; UTC without a zone.")]
Until = Annotated[datetime | None, Query(description="Until before this moment.")]
TenantAsked = Annotated[Text | None, Query(description="Only this tenant and those below.")]


class Hold(Told):
    request_id: str
    created_at: Moment
    tenant: str = Field(examples=["acme/search"])
    key_id: str
    endpoint: str
    model: str = Field(examples=["gpt-5-mini"])
    hold_usd: Usd
    age_seconds: float
    response_id: str | None
    owner: str
    host: str | None
    pid: int | None
    owner_lives: bool
    why: str = Field(examples=["in flight"])


class Entry(Told):
    id: str
    created_at: Moment
    tenant: str = Field(examples=["acme/search"])
    key_id: str
    response_id: str | None
    model: str = Field(examples=["gpt-5-mini"])
    service_tier: str | None
    outcome: str = Field(examples=["completed"])
    client_gone: bool
    basis: str = Field(examples=["reported"])
    input_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: Usd | None
    adjustment_usd: Usd | None
    hold_usd: Usd
    price_version: str | None
    settled_at: Moment
    requested_model: str
    priced_model: str | None
    endpoint: str
    reason: str | None
    problem: str | None
    recoverable: bool
    http_status: int | None
    upstream_request_id: str | None
    duration_seconds: float
    first_byte_seconds: float | None
    requested_service_tier: str | None
    stream: bool | None
    max_output_tokens: int | None
    tags: dict[str, str]


class Line(Told):
    meter: str = Field(examples=["input"])
    quantity: int
    unit_price_usd: Usd
    cost_usd: Usd


class BillPrice(Told):
    layer: str
    version: str
    effective_from: Moment | None
    effective_to: Moment | None
    source: str


class BillAdjustment(Told):
    kind: str
    at: Moment
    adjustment_usd: Usd
    note: str
    price_version: str | None
    lines: list[Line]


class BillBudget(Told):
    subject: str
    budget: str = Field(examples=["month"])
    hard: bool
    period_start: Moment | None
    period_end: Moment | None
    left_usd: Usd


class Bill(Entry):
    """An entry, line by line, and how it came about."""

    lines: list[Line]
    total_usd: Usd | None
    price: BillPrice | None
    adjustments: list[BillAdjustment]
    budgets: list[BillBudget] = Field(description="Of those that it counts in, the caller's own.")


class Usage(Told):
    """What was asked to be told apart stands beside these: tenant, model, day, key_id, tag:NAME."""

    model_config = ConfigDict(extra="allow")

    requests: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Usd
    unpriced_requests: int


class AlertTold(Told):
    id: str
    tenant: str = Field(examples=["acme/search"])
    subject: str
    budget: str = Field(examples=["month"])
    threshold_percent: int = Field(examples=[80])
    crossed_at: str
    limit_usd: Usd
    spent_usd: Usd
    held_usd: Usd
    left_usd: Usd
    excess_usd: Usd
    period: str
    period_start: str | None
    period_end: str | None
    tz: str
    hard: bool
    models: tuple[str, ...] | None
    delivered_at: Moment | None
    attempts: int


class AuditRow(Told):
    """One change: who made it, what was before, and what is after."""

    number: int
    at: Moment
    by: str = Field(examples=["token 4rTn0Zb1kQx2 (team lead)", "command line (ana)"])
    action: str = Field(examples=["budget.set"])
    subject: str = Field(examples=["acme/search"])
    tenant: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class _PageAsked(Given):
    tenant: TenantAsked = None
    since: Since = None
    until: Until = None
    limit: Limit = ROWS
    after: After = None


class UsageAsked(_PageAsked):
    by: Annotated[Text, Query(description="Any of tenant,model,day,key,tag:NAME.")] = "tenant"


class EntriesAsked(_PageAsked):
    key_id: Text | None = None
    model: Annotated[Text | None, Query(description="As asked for, served or priced.")] = None
    outcome: (
        Literal["completed", "incomplete", "failed", "cancelled", "refused", "aborted"] | None
    ) = None
    basis: Literal["reported", "retrieved", "worst_case", "none"] | None = None
