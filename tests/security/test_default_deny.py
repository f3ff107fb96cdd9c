"""Every door says who may pass, and keeps to it: public, with a tenant's key, or the operator's.

A route that says nothing, says two things or is of a kind that this file does not know fails.
"""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from gateway.adapters.database import open_engine
from gateway.adapters.migrate import upgrade
from gateway.app.factory import create_app
from gateway.app.health import ADMIN, PUBLIC
from gateway.app.own import TENANT
from gateway.app.planes import Gateway
from gateway.app.server import listen, make_server
from tests.fakes.rawserver import RawServer
from tests.journeys.stage import make_key, serving_app, settings_for

TOKEN = "operators-token-of-this-test"
# Whoever adds a public route says here why nobody has to show anything.
PUBLIC_ROUTES = {
    ("GET", "/livez"): "says that the process runs",
    ("GET", "/readyz"): "says whether it takes requests",
    ("GET", "/console/static/{name:path}"): "the console's looks, the same for everybody",
    ("GET", "/console/login"): "the form to log in",
    ("POST", "/console/login"): "wants a token, and few wrong ones",
    ("POST", "/console/logout"): "wants the form of a session, and ends it",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
GUESSES = (
    "/", "/docs", "/redoc", "/openapi.json", "/admin", "/admin/", "/admin/v1/tenants",
    "/admin/v1/keys", "/console", "/console/", "/v1", "/v1/", "/v1/models", "/v1/responses",
    "/v1/responses/resp_1", "/v1/responses/resp_1/cancel", "/v1/gateway/usage", "/v1/files",
    "/v1/../metrics", "/v1/%2e%2e/metrics", "//metrics", "/metrics/", "/metrics%20", "/METRICS",
    "/livez/../metrics", "/static/app.js", "/.env", "/debug", "/healthz",
)  # fmt: skip
NOT_TOKENS = (
    None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}",
    f"Bearer {TOKEN.upper()}",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """A gateway as it is off loopback; only its socket is not."""

    app: Gateway
    url: str
    key: str
    upstream: RawServer
    client: httpx.AsyncClient

    async def status(self, method: str, path: str, **headers: str) -> int:
        # The path as it is: httpx would resolve its dots.
        url = httpx.URL(self.url).copy_with(raw_path=path.encode())
        return (await self.client.request(method, url, headers=headers)).status_code


@pytest.fixture(scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("gateway")
    async with RawServer([]) as upstream:
        settings = settings_for(folder, upstream.url, admin={"token": TOKEN})
        engine = open_engine(settings.database.url)
        upgrade(engine)
        app = create_app(settings.model_copy(update={"host": "0.0.0.0"}))
        listeners = listen(settings)
        url = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
        async with (
            serving_app(make_server(app, settings), listeners),
            httpx.AsyncClient(trust_env=False) as client,
        ):
            key = make_key(engine)
            yield Doors(app=app, url=url, key=key, upstream=upstream, client=client)
        engine.dispose()


def routes(of: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, APIRoute]]:
    """All routes and their paths, also within; a kind that is not known is no route of ours."""
    for route in of:
        within = getattr(route, "original_router", None)
        if isinstance(route, Mount):
            yield from routes(route.routes, prefix + route.path)
        elif within is not None:
            yield from routes(within.routes, prefix)
        else:
            assert isinstance(route, APIRoute), f"{route!r}: nobody can say who may pass"
            yield prefix + route.path, route


def declared(app: Gateway) -> dict[tuple[str, str], list[str]]:
    found = {}
    for path, route in routes(app.routes):
        for method in sorted(route.methods or ()):
            words = [str(tag) for tag in route.tags if tag in (PUBLIC, TENANT, ADMIN)]
            found[method, path] = words
    return found


async def test_every_route_says_who_may_pass(doors: Doors) -> None:
    said = declared(doors.app)
    assert {door: words for door, words in said.items() if len(words) != 1} == {}
    assert {door for door, words in said.items() if words == [PUBLIC]} == set(PUBLIC_ROUTES)
    assert ("GET", "/metrics") in said


async def test_what_is_the_operators_wants_the_token(doors: Doors) -> None:
    admin = [door for door, words in declared(doors.app).items() if words == [ADMIN]]
    for method, path in admin:
        for shown in NOT_TOKENS:
            headers = {} if shown is None else {"authorization": shown}
            assert await doors.status(method, path, **headers) == 401, (method, path, shown)
        key = {"authorization": f"Bearer {doors.key}"}
        assert await doors.status(method, path, **key) == 401, "a tenant's key is no token"
        token = {"authorization": f"Bearer {TOKEN}"}
        assert await doors.status(method, path, **token) != 401


async def test_what_is_a_tenants_wants_a_key(doors: Doors) -> None:
    own = [door for door, words in declared(doors.app).items() if words == [TENANT]]
    assert len(own) == 2
    for method, path in own:
        for shown in (*NOT_TOKENS, f"Bearer {TOKEN}", f"Basic {doors.key}", "Bearer sk-upstream"):
            headers = {} if shown is None else {"authorization": shown}
            assert await doors.status(method, path, **headers) == 401, (method, path, shown)
        key = {"authorization": f"Bearer {doors.key}"}
        assert await doors.status(method, path, **key) in (200, 404), (method, path)
    assert doors.upstream.connections == 0


async def test_a_path_of_the_control_plane_is_authorised_by_the_path_alone(doors: Doors) -> None:
    for host in ("x/livez?", "127.0.0.1", "livez", "x#"):
        assert await doors.status("GET", "/metrics", host=host) == 401
    for name in ("x-original-url", "x-rewrite-url", "x-forwarded-for", "x-forwarded-host"):
        assert await doors.status("GET", "/metrics", **{name: "127.0.0.1/livez"}) == 401


async def test_whoever_shows_nothing_gets_nothing(doors: Doors) -> None:
    for method, path in itertools.product(METHODS, GUESSES):
        status = await doors.status(method, path)
        assert status in (400, 401, 404, 405), (method, path, status)
        assert status == 401 or (method, path) != ("POST", "/v1/responses")
    assert doors.upstream.connections == 0


async def test_the_data_plane_wants_a_tenants_key(doors: Doors) -> None:
    for shown in (
        None,
        "",
        "Bearer",
        f"Bearer {TOKEN}",
        "Bearer sk-upstream",
        f"Basic {doors.key}",
    ):
        headers = {} if shown is None else {"authorization": shown}
        assert await doors.status("POST", "/v1/responses", **headers) == 401, shown
    for name in ("x-api-key", "api-key", "x-admin-token", "cookie"):
        assert await doors.status("POST", "/v1/responses", **{name: doors.key}) == 401, name
    assert doors.upstream.connections == 0
