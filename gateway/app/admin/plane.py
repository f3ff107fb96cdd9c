"""The admin API as one application, with its door in front. Not here: any route.

The door is plain ASGI: who may not enter is answered before a body is read or a path is looked at,
and a body has a limit. So no route, not even one that is forgotten, is open by itself.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from gateway import __version__
from gateway.app.admin import ledger, limits, prices, tenants
from gateway.app.admin.desk import GRANT
from gateway.app.admin.office import Office
from gateway.app.bodies import Bodies, ClientGone, Receive
from gateway.app.health import ADMIN
from gateway.app.problems import RESPONSES, Problem, answer_problems, problem_of
from gateway.app.proxy import Scope
from gateway.app.relay import Send
from gateway.core.errors import BodyTooLarge, GatewayError

PREFIX = "/admin/v1"
BODY_BYTES_MAX = 1024 * 1024
BODIES_BYTES_MAX = 16 * BODY_BYTES_MAX
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class AdminPlane:
    """An ASGI application to be mounted at `PREFIX`."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._bodies = Bodies(bytes_max=BODY_BYTES_MAX, total_bytes_max=BODIES_BYTES_MAX)
        self.app = _application(office)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """For whoever asks what there is."""
        return self.app.routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._enter(scope, receive, send)
        except GatewayError as error:
            await problem_of(error)(scope, receive, send)
        except ClientGone:
            return

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        grant = await self._office.admit(
            scope["headers"],
            peer="" if client is None else client[0],
            is_reading=scope["method"] in READING,
        )
        with self._bodies.one(scope["headers"], receive) as body:
            try:
                content = await body.read()
            except BodyTooLarge:
                raise BodyTooLarge(f"A body here has at most {BODY_BYTES_MAX:,} bytes.") from None
            state = {**scope.get("state", {}), GRANT: grant}
            await self.app({**scope, "state": state}, _once(content, receive), send)


def _once(content: bytes, receive: Receive) -> Receive:
    """A body that was read already, and then what else the client does."""
    is_told = False

    async def again() -> dict[str, Any]:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": content, "more_body": False}

    return again


def _described(app: FastAPI) -> dict[str, Any]:
    """The API's description, with what its door and its errors are."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            servers=[{"url": PREFIX}],
            separate_input_output_schemas=False,
        )
        parts = found["components"]
        parts["schemas"] |= models_json_schema(
            [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
        )[1]["$defs"]
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


def _application(office: Office) -> FastAPI:
    app = FastAPI(
        title="Responses Gateway, administration",
        version=__version__,
        summary="What the command line does, over HTTP.",
        docs_url=None,
        openapi_url=None,  # served below, as a route that says who may pass
        redoc_url=None,
        redirect_slashes=False,
        responses=RESPONSES,
        separate_input_output_schemas=False,
    )
    app.state.office = office
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # FastAPI's own way
    for one in (tenants, limits, prices, ledger):
        app.include_router(one.router)
    answer_problems(app)

    @app.get("/openapi.json", tags=[ADMIN], include_in_schema=False)
    async def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    return app
