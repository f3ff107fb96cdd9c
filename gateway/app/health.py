"""`/livez` (the process runs), `/readyz` (it can take requests) and `/metrics`.

Off loopback, metrics ask for the admin token: they tell what each tenant spends.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from fastapi.responses import JSONResponse

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.core.errors import Unauthorized

# A gateway that does not answer these is restarted, or passed over: it must though it be full.
PROBES = frozenset({b"/livez", b"/readyz"})
# What each route of the control plane says of itself; a test refuses one that says nothing.
PUBLIC = "public"
ADMIN = "admin"


def admin_guard(*, is_open: bool, token: Callable[[], str]) -> Callable[[str | None], None]:
    """A dependency that lets the operator in. `is_open`: only this machine can ask."""

    def guard(authorization: Annotated[str | None, Header()] = None) -> None:
        if is_open:
            return
        wanted = token()
        if not wanted:
            raise Unauthorized("Set GATEWAY_ADMIN_TOKEN_FILE: off loopback this needs a token.")
        shown = (authorization or "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(shown.encode(), wanted.encode()):
            raise Unauthorized("Send the admin token as 'Authorization: Bearer …'.")

    return guard


def health_router(
    *, ledger: Ledger, metrics: Metrics, guard: Callable[[str | None], None]
) -> APIRouter:
    """The three routes; `/livez` and `/readyz` are public."""
    router = APIRouter()

    @router.get("/livez", tags=[PUBLIC])
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", tags=[PUBLIC])
    async def readyz() -> JSONResponse:
        is_ready = ledger.is_healthy
        content = {"status": "ok" if is_ready else "the ledger does not answer"}
        return JSONResponse(content, status_code=200 if is_ready else 503)

    @router.get("/metrics", tags=[ADMIN], dependencies=[Depends(guard)])
    async def exposition() -> Response:
        # A hundred tenants' series take tens of milliseconds: too long for a loop with streams.
        text = await asyncio.to_thread(metrics.render)
        return Response(text, media_type=metrics.content_type)

    return router
