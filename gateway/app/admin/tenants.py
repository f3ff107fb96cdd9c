"""`/tenants` and `/keys`: who pays, and with which credentials."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from gateway.adapters.views import key_document, tenant_document
from gateway.app.admin.desk import Desk, Keeping, Reading, Writing, off_loop, refusals
from gateway.app.admin.pages import ROWS, After, Limit, Page, page, place_after
from gateway.app.admin.shapes import (
    IssuedKey,
    Key,
    NewKey,
    NewTenant,
    Rotation,
    Tenant,
    TenantChange,
)
from gateway.app.health import ADMIN
from gateway.app.tenancy import begin_tenant
from gateway.core.errors import InvalidRequest
from gateway.core.grant import WRITE, authorize

router = APIRouter(tags=[ADMIN])


@router.get("/tenants", response_model=Page[Tenant])
@off_loop
def list_tenants(desk: Reading, limit: Limit = ROWS, after: After = None) -> Any:
    """Tenants, parents before children."""
    place = place_after(after, str)
    rows = desk.directory.list_tenants(
        desk.grant.tenant, after=None if place is None else str(place[0]), limit=limit + 1
    )
    return page(rows, limit, place=lambda row: (row.path,), document=tenant_document)


@router.post("/tenants", response_model=Tenant, status_code=201)
@off_loop
def create_tenant(desk: Writing, given: NewTenant) -> Any:
    """Create a tenant and those above it; what is there already stays as it is."""
    authorize(desk.grant, WRITE, given.path)
    office = desk.office
    with refusals():
        begin_tenant(
            office.engine,
            given.path,
            given=office.given,
            now_us=office.now_us,
            author=desk.grant.by,
        )
    return tenant_document(desk.tenant(given.path))


@router.get("/tenants/{path:path}", response_model=Tenant)
@off_loop
def show_tenant(desk: Reading, path: str) -> Any:
    """One tenant."""
    return tenant_document(desk.tenant(path))


@router.patch("/tenants/{path:path}", response_model=Tenant)
@off_loop
def change_tenant(desk: Writing, path: str, given: TenantChange) -> Any:
    """Refuse the keys of a tenant and of those below it, or take them again."""
    desk.limited(desk.tenant(path).path)
    change = desk.directory.suspend if given.suspended else desk.directory.resume
    with refusals():
        change(path)
    return tenant_document(desk.tenant(path))


@router.get("/keys", response_model=Page[Key])
@off_loop
def list_keys(
    desk: Reading, tenant: str | None = None, limit: Limit = ROWS, after: After = None
) -> Any:
    """Keys without their secrets, oldest first; a tenant's are those of all below it too."""
    place: Any = place_after(after, int, str)
    rows = desk.directory.list_keys(within=desk.within(tenant), after=place, limit=limit + 1)
    return page(rows, limit, place=lambda row: (row.created_at_us, row.id), document=key_document)


@router.post("/keys", response_model=IssuedKey, status_code=201)
@off_loop
def create_key(desk: Keeping, given: NewKey) -> Any:
    """Make a key. Its text is in this answer and nowhere else."""
    desk.tenant(given.tenant)
    expires_at_us = None if given.expires_at is None else moment_us(given.expires_at)
    if expires_at_us is not None and expires_at_us <= desk.office.now_us():
        raise InvalidRequest("'expires_at' has passed: give a moment to come.")
    with refusals():
        key = desk.directory.issue_key(given.tenant, name=given.name, expires_at_us=expires_at_us)
    return {"id": key.id, "key": key.text, "tenant": key.tenant}


@router.get("/keys/{key_id}", response_model=Key)
@off_loop
def show_key(desk: Reading, key_id: str) -> Any:
    """One key, without its secret."""
    return key_document(desk.key(key_id))


@router.post("/keys/{key_id}/rotate", response_model=IssuedKey, status_code=201)
@off_loop
def rotate_key(desk: Keeping, key_id: str, given: Rotation) -> Any:
    """Make a key in place of another, which ends after the overlap."""
    desk.key(key_id)
    with refusals():
        key = desk.directory.rotate_key(key_id, overlap_seconds=given.overlap_seconds)
    return {"id": key.id, "key": key.text, "tenant": key.tenant}


@router.delete("/keys/{key_id}", status_code=204, response_class=Response)
@off_loop
def revoke_key(desk: Keeping, key_id: str) -> None:
    """End a key: it takes no hold any more; running gateways refuse it within two seconds."""
    desk.key(key_id)
    with refusals():
        desk.directory.revoke_key(key_id)


def moment_us(at: datetime) -> int:
    """A moment as it was given, in Unix microseconds; without a zone it is UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000 + aware.microsecond


__all__ = ["Desk", "moment_us", "router"]
