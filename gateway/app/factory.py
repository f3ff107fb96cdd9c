"""The application: what there is (`parts`), when it starts, and when it ends.

Start: the ledger, then what the journals of dead processes say; only then is the first request
taken. What else they left is settled meanwhile. The schema is expected to be there (`gateway serve`
sees to it).
End: the server has stopped listening; exchanges settle, the ledger writes the last, all closes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI

from gateway import __version__
from gateway.adapters.directory import Directory
from gateway.adapters.item_shelves import keep_shelves
from gateway.adapters.metric_files import Share
from gateway.adapters.metrics import Metrics
from gateway.adapters.refusals import keep_newest
from gateway.adapters.statements import Statements
from gateway.app.admin.plane import PREFIX as ADMIN_PREFIX
from gateway.app.admin.plane import AdminPlane
from gateway.app.console.assembly import console_for
from gateway.app.devices import now_us, office_for
from gateway.app.errors import answer, answer_not_found
from gateway.app.health import admin_guard, health_router
from gateway.app.own import own_router
from gateway.app.parts import Parts
from gateway.app.planes import Gateway
from gateway.config.secret import CurrentSecret
from gateway.config.settings import Settings
from gateway.core.address import is_loopback
from gateway.core.errors import GatewayError

SAMPLE_SECONDS = 1.0


def create_app(settings: Settings, *, share: Share | None = None) -> Gateway:
    """The application, ready to be served; it writes nothing before its lifespan starts.

    `share` is its part of the metrics, where several processes are seen as one.
    Raises ValueError for a database URL, price file or secret that cannot be used.
    """
    parts = Parts(settings, share)
    token = CurrentSecret(settings.admin.token, settings.admin.token_file)
    office = office_for(
        settings,
        parts.engine,
        now_us=parts.ledger.now_us,
        files=parts.rules.files,
        root_token=token,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with living(parts):
            try:
                yield
            finally:
                office.close()

    app = Gateway(
        title="Responses Gateway",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # its redirects would go wherever a request's Host says
    )
    app.data_plane = parts.data_plane
    app.admin_port = settings.admin.port
    app.add_exception_handler(GatewayError, answer)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, answer_not_found)
    # A token that is set is asked for everywhere: on loopback there may be a proxy in front.
    guard = admin_guard(is_open=is_loopback(settings.host) and not token(), token=token)
    own = own_router(
        Statements(engine=parts.engine, now_us=parts.ledger.now_us),
        authenticator=parts.authenticator,
        policies=parts.policies,
        minutes=parts.minutes,
    )
    app.include_router(own)
    app.include_router(health_router(ledger=parts.ledger, metrics=parts.metrics, guard=guard))
    app.include_router(console_for(parts, token))
    app.mount(ADMIN_PREFIX, AdminPlane(office))
    return app


@asynccontextmanager
async def living(parts: Parts) -> AsyncIterator[None]:
    """From the first hold to the last settlement."""
    for tenant in Directory(engine=parts.engine, now_us=now_us).list_tenants():
        parts.metrics.tenant_known(tenant.path)
    parts.ledger.start()
    try:
        await parts.takeover.adopt()
        async with asyncio.TaskGroup() as tasks:
            standing = [
                tasks.create_task(each)
                for each in (
                    parts.reconciler.run(),
                    parts.takeover.run(),
                    parts.minutes.run(),
                    parts.notifier.run(),
                    keep_newest(parts.engine),
                    keep_shelves(parts.engine, parts.ledger.now_us),
                    parts.live.run(),
                    _sample(parts.metrics),
                )
            ]
            yield
            # Exchanges that were cancelled at the deadline have yet to settle.
            await parts.relay.aclose()
            for task in standing:
                task.cancel()
    finally:
        await parts.ledger.aclose()
        await parts.upstream.aclose()
        await parts.minutes.aclose()
        await parts.notifier.aclose()
        if parts.traces is not None:
            await parts.traces.aclose()
        parts.owner.release()
        parts.engine.dispose()


async def _sample(metrics: Metrics) -> None:
    """Let a scrape that another process answers see this one's figures."""
    while True:
        metrics.sample()
        await asyncio.sleep(SAMPLE_SECONDS)
