"""What happened: `/holds`, `/usage`, `/entries`, `/requests`, `/alerts`, `/audit`. Reads only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.adapters import bills, reports
from gateway.adapters.alerts import place_of, raised, raised_document
from gateway.adapters.audit import audit_document, audit_rows
from gateway.adapters.bill_views import bill_document, priced_by
from gateway.adapters.bills import Beside
from gateway.adapters.open_holds import open_holds
from gateway.adapters.views import (
    COLUMN_OF,
    entry_document,
    hold_document,
    usage_document,
    usage_groups,
)
from gateway.app.admin.desk import Desk, Reading, off_loop
from gateway.app.admin.ledger_shapes import (
    AlertTold,
    AuditRow,
    Bill,
    EntriesAsked,
    Entry,
    Hold,
    Since,
    TenantAsked,
    Usage,
    UsageAsked,
)
from gateway.app.admin.pages import ROWS, After, Limit, Page, Place, page, page_of_all, place_after
from gateway.app.admin.tenants import moment_us
from gateway.app.health import ADMIN
from gateway.core.errors import InvalidRequest, NotFound

router = APIRouter(tags=[ADMIN])


@router.get("/holds", response_model=Page[Hold])
@off_loop
def list_holds(
    desk: Reading, tenant: TenantAsked = None, limit: Limit = ROWS, after: After = None
) -> Any:
    """Open holds, oldest first: whose they are, how old, and why they are open."""
    place: Any = place_after(after, int, str)
    office, within = desk.office, desk.within(tenant)
    rows = open_holds(office.engine, office.now_us, tenant=within, after=place, limit=limit + 1)
    return page(
        rows, limit, place=lambda row: (row.created_at_us, row.request_id), document=hold_document
    )


@router.get("/usage", response_model=Page[Usage])
@off_loop
def show_usage(desk: Reading, asked: Annotated[UsageAsked, Query()]) -> Any:
    """Tokens and cost, added up. Hours count whole; days are UTC."""
    try:
        groups = usage_groups(asked.by)
    except ValueError as unknown:
        raise InvalidRequest(f"'by' {unknown}.") from None
    rows = reports.usage(
        desk.office.engine,
        by=groups,
        since_us=_us(asked.since),
        until_us=_us(asked.until),
        tenant=desk.within(asked.tenant),
    )
    return page_of_all(
        rows,
        (asked.limit, asked.after),
        place=lambda row: _usage_place(row, groups),
        document=lambda row: usage_document(row, groups),
    )


@router.get("/entries", response_model=Page[Entry])
@off_loop
def list_entries(desk: Reading, asked: Annotated[EntriesAsked, Query()]) -> Any:
    """The ledger's entries, newest first."""
    if asked.key_id is not None:
        desk.key(asked.key_id)
    place: Any = place_after(asked.after, int, str)
    rows = reports.entries(
        desk.office.engine,
        tenant=desk.within(asked.tenant),
        since_us=_us(asked.since),
        limit=asked.limit + 1,
        before=place,
        only=reports.EntryFilter(
            until_us=_us(asked.until),
            key_id=asked.key_id,
            model=asked.model,
            outcome=asked.outcome,
            basis=asked.basis,
        ),
    )
    return page(
        rows,
        asked.limit,
        place=lambda row: (row.created_at_us, row.request_id),
        document=entry_document,
    )


@router.get("/requests/{request_id}", response_model=Bill)
@off_loop
def explain_request(desk: Reading, request_id: str) -> Any:
    """One request's bill, by our id or the response's: what was counted, at which price."""
    engine = desk.office.engine
    row = reports.entry(engine, request_id)
    if row is None or not desk.grant.sees(row.tenant):
        raise NotFound(
            f"No request {request_id!r} is known here; it may be under way still, or was refused"
            " before anything was sent."
        )
    beside = _own(desk, bills.beside(engine, row.request_id))
    return bill_document(row, beside, priced_by(row, beside, desk.book))


@router.get("/alerts", response_model=Page[AlertTold])
@off_loop
def list_alerts(
    desk: Reading, tenant: TenantAsked = None, limit: Limit = ROWS, after: After = None
) -> Any:
    """Thresholds of budgets that were passed, newest first, and whether that was told."""
    place: Any = place_after(after, int, str, int, int)
    rows = raised(desk.office.engine, tenant=desk.within(tenant), before=place, limit=limit + 1)
    return page(rows, limit, place=lambda row: place_of(row.alert), document=raised_document)


@router.get("/audit", response_model=Page[AuditRow])
@off_loop
def list_audit(
    desk: Reading,
    tenant: TenantAsked = None,
    since: Since = None,
    limit: Limit = ROWS,
    after: After = None,
) -> Any:
    """Who changed what, newest first: what was before, and what is after."""
    place: Any = place_after(after, int)
    rows = audit_rows(
        desk.office.engine,
        tenant=desk.within(tenant),
        since_us=_us(since),
        before=None if place is None else place[0],
        limit=limit + 1,
    )
    return page(rows, limit, place=lambda row: (row.n,), document=audit_document)


def _own(desk: Desk, beside: Beside) -> Beside:
    """Less the budgets of those above the caller."""
    seen = []
    for budget, account in beside.budgets:
        try:
            desk.owner(budget.subject)
        except NotFound:
            continue
        seen.append((budget, account))
    return Beside(adjustments=beside.adjustments, budgets=tuple(seen))


def _usage_place(row: reports.UsageRow, groups: Sequence[str]) -> Place:
    told = usage_document(row, groups)
    return tuple(told[COLUMN_OF.get(group, group)] for group in groups)


def _us(at: datetime | None) -> int | None:
    return None if at is None else moment_us(at)
