"""A key's own view: `/v1/gateway/requests/{id}` and `/v1/gateway/usage`. Read here, not forwarded.

Whoever shows a key sees what its tenant's requests cost, and what may still be spent. These count
among the requests of a minute. Not here: what is told (`adapters.statements`).
"""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters.statements import Document, Statements
from gateway.app.admission import MinuteLimits, PolicySource
from gateway.app.auth import Authenticator
from gateway.core.errors import LedgerUnavailable, NotFound
from gateway.core.tenant import Tenant

PATHS = b"/v1/gateway/"
TENANT = "tenant"  # beside `health`'s words: who shows a key may pass
READS_AT_ONCE = 4  # more wait: whoever asks without end slows only those who ask


def own_router(
    statements: Statements,
    *,
    authenticator: Authenticator,
    policies: PolicySource,
    minutes: MinuteLimits,
) -> APIRouter:
    """The two routes; both want a key."""
    router = APIRouter(prefix="/v1/gateway", tags=[TENANT])
    room = asyncio.Semaphore(READS_AT_ONCE)

    async def asking(request: Request) -> Tenant:
        peer = "" if request.client is None else request.client.host
        tenant = await authenticator.tenant_of(request.scope["headers"], peer=peer)
        effective = await policies.find(tenant)
        await minutes.admit(effective.counted, key_id=tenant.key_id)
        return tenant

    Asking = Annotated[Tenant, Depends(asking)]  # noqa: N806 - a type

    async def read(what: Callable[..., Document | None], *words: object) -> Document:
        async with room:
            try:
                document = await asyncio.to_thread(what, *words)
            except SQLAlchemyError as error:
                raise LedgerUnavailable from error
        if document is None:
            raise NotFound(
                "No request of this tenant has this id; it may be under way still, "
                "or was refused before anything was sent."
            )
        return document

    @router.get("/requests/{request_id}")
    async def bill(request_id: str, tenant: Asking) -> Document:
        return await read(statements.bill, tenant, request_id)

    @router.get("/usage")
    async def usage(tenant: Asking) -> Document:
        return await read(statements.usage, tenant)

    return router
