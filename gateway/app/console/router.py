"""The console's routes: pages, their tables as CSV, logging in and out, and static files.

Every page is read and written in a thread, few at once: streams want the event loop. Not here: what
a page shows (`overview`, `requests`, …), or who may see it (`gate`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from jinja2 import Environment
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters.sessions import form_token
from gateway.app.console import advice, budgets, live, overview, prices, requests, tenants, words
from gateway.app.console.gate import (
    LOGIN_COOKIE,
    PATH,
    SESSION_COOKIE,
    Gate,
    Visit,
    first_values,
    safe_next,
)
from gateway.app.console.page import Asked, Page, Sources
from gateway.app.health import ADMIN, PUBLIC
from gateway.app.live import Live
from gateway.core.errors import (
    BodyTooLarge,
    GatewayError,
    LedgerUnavailable,
    NotFound,
    Unauthorized,
)
from gateway.core.price_book import PriceBook
from gateway.core.progress import SoFar

READS_AT_ONCE = 4  # more wait: whoever asks without end slows only those who ask
FORM_BYTES_MAX = 8_192
QUERY_FIELDS_MAX = 32
THEME_COOKIE = "gateway_theme"
THEMES = ("light", "dark")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
MEDIA = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

Make = Callable[[Sources, Asked], Page]
_Result = TypeVar("_Result")

PAGES: Mapping[str, Make] = {
    "": overview.overview,
    "/": overview.overview,
    "/budgets": budgets.budgets,
    "/budgets/{name}": budgets.budget,
    "/live": live.live,
    "/live/rows": live.live_rows,
    "/requests": requests.requests,
    "/requests/{name}": requests.request,
    "/tenants": tenants.tenants,
    "/tenants/{name:path}": tenants.subject,
    "/prices": prices.prices,
    "/prices/{name:path}": prices.price,
    "/advice": advice.advice,
}


LIVE = (live.live, live.live_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What all of its routes have."""

    sources: Sources
    gate: Gate
    live: Live
    book: Callable[[], Awaitable[PriceBook]]
    templates: Environment
    room: asyncio.Semaphore

    async def page(self, make: Make, request: Request) -> Response:
        """A page, or one of its tables; whatever is wrong is told as a page too."""
        try:
            visit = await self._in_thread(self.gate.visit, request)
            seen = await self.live.look() if make in LIVE else {}
            return await self._in_thread(
                self._written, make, request, visit, await self.book(), seen
            )
        except Unauthorized as unknown:
            return await self.login_form(request, unknown)
        except GatewayError as error:
            return await self._in_thread(self._told, error, request)

    async def login_form(self, request: Request, why: GatewayError | None = None) -> Response:
        """The form, in the place of the page that was asked for."""
        secret = self.gate.login_secret(request)
        is_form = request.scope["path"] == f"{PATH}/login"
        asked = request.query_params.get("next", "") if is_form else _place(request)
        facts = {
            "next": safe_next(asked),
            "form_token": form_token(secret),
            "why": why.message if why and is_form else None,
        }
        text = await self._in_thread(self._render, "login.html", request, facts, None)
        response = _html(text, 200 if why is None else why.status)
        self.gate.set_cookie(request, response, LOGIN_COOKIE, secret)
        return response

    async def log_in(self, request: Request) -> Response:
        form: dict[str, str] = {}
        try:
            form = await _form(request)
            secret = await self._in_thread(self.gate.log_in, request, form)
        except GatewayError as refused:
            return await self.login_form(request, refused)
        response = RedirectResponse(safe_next(form.get("next", "")), 303, HEADERS)
        response.delete_cookie(LOGIN_COOKIE, path=PATH)
        self.gate.set_cookie(request, response, SESSION_COOKIE, secret)
        return response

    async def log_out(self, request: Request) -> Response:
        try:
            await self._in_thread(self.gate.log_out, request, await _form(request))
        except GatewayError as refused:
            return await self._in_thread(self._told, refused, request)
        response = RedirectResponse(f"{PATH}/login", 303, HEADERS)
        response.delete_cookie(SESSION_COOKIE, path=PATH)
        return response

    def _written(
        self,
        make: Make,
        request: Request,
        visit: Visit,
        book: PriceBook,
        seen: Mapping[str, SoFar],
    ) -> Response:
        query = first_values(request.query_params.multi_items()[:QUERY_FIELDS_MAX])
        wanted = query.pop("csv", None)
        name = str(request.path_params.get("name", ""))
        asked = Asked(viewer=visit.viewer, query=query, name=name, book=book, live=seen)
        page = make(self.sources, asked)
        if wanted is None:
            return _html(self._render(page.template, request, page.facts, visit))
        if wanted not in page.tables:
            raise NotFound(f"This page has no table {wanted!r}.")
        headers = {**HEADERS, "content-disposition": f'attachment; filename="gateway-{wanted}.csv"'}
        text = page.tables[wanted]().csv()
        return Response(text, headers=headers, media_type="text/csv; charset=utf-8")

    def _told(self, error: GatewayError, request: Request) -> Response:
        try:
            visit = self.gate.visit(request)
        except (GatewayError, SQLAlchemyError):
            visit = None
        facts = {"error": error}
        return _html(self._render("error.html", request, facts, visit), error.status)

    def _render(
        self, template: str, request: Request, facts: Mapping[str, object], visit: Visit | None
    ) -> str:
        theme = request.cookies.get(THEME_COOKIE)
        return self.templates.get_template(template).render(
            **facts,
            visit=visit,
            theme=theme if theme in THEMES else None,
            here=request.scope["path"],
            csv=partial(_csv_address, request),
        )

    async def _in_thread(self, do: Callable[..., _Result], *words_: object) -> _Result:
        async with self.room:
            try:
                return await asyncio.to_thread(do, *words_)
            except SQLAlchemyError as error:
                raise LedgerUnavailable from error


def console_router(
    sources: Sources, *, gate: Gate, live: Live, book: Callable[[], Awaitable[PriceBook]]
) -> APIRouter:
    """All routes below `/console`."""
    router = APIRouter(prefix=PATH)
    console = Console(
        sources=sources,
        gate=gate,
        live=live,
        book=book,
        templates=words.environment(),
        room=asyncio.Semaphore(READS_AT_ONCE),
    )
    files = {path.name: path.read_bytes() for path in words.STATIC.rglob("*") if path.is_file()}

    @router.get("/static/{name:path}", tags=[PUBLIC])
    async def static(name: str) -> Response:
        name = name.removeprefix("vendor/")
        if name not in files:
            raise NotFound
        headers = {**HEADERS, "cache-control": "public, max-age=31536000, immutable"}
        media = next((kind for end, kind in MEDIA.items() if name.endswith(end)), None)
        return Response(files[name], headers=headers, media_type=media)

    @router.get("/login", tags=[PUBLIC])
    async def login_form(request: Request) -> Response:
        return await console.login_form(request)

    @router.post("/login", tags=[PUBLIC])
    async def log_in(request: Request) -> Response:
        return await console.log_in(request)

    @router.post("/logout", tags=[PUBLIC])
    async def log_out(request: Request) -> Response:
        return await console.log_out(request)

    for path, make in PAGES.items():
        router.add_api_route(path, _endpoint(console, make), methods=["GET"], tags=[ADMIN])
    return router


def _endpoint(console: Console, make: Make) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await console.page(make, request)

    return endpoint


async def _form(request: Request) -> dict[str, str]:
    """A form's fields, bounded before anybody has shown anything. Raises BodyTooLarge."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_BYTES_MAX:
            raise BodyTooLarge
    return first_values(parse_qsl(body.decode("utf-8", "replace")))


def _html(text: str, status: int = 200) -> Response:
    headers = {**HEADERS, "cache-control": "no-store"}
    return Response(text, status, headers, media_type="text/html; charset=utf-8")


def _place(request: Request, **more: str) -> str:
    """The address that was asked for, without the host that the client named."""
    query = urlencode([*request.query_params.multi_items(), *more.items()])
    path = quote(request.scope["path"])
    return f"{path}?{query}" if query else path


def _csv_address(request: Request, table: str) -> str:
    return _place(request, csv=table)
