"""Who may do what by the admin API: every route, tried by each kind of token, over real sockets.

The table has a row for each route that the application has; a route without one fails. What is
another subtree's does not exist: the answer is what it is for a name that nobody has.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.adapters import admin_schema, schema
from gateway.adapters.audit import audit_rows
from gateway.app.admin.plane import PREFIX
from gateway.app.factory import create_app
from gateway.core.grant import KEYS, PRICES, READ, SCOPES, WRITE
from tests.app.admin.scene import ABOVE, OURS, ROOT_TOKEN, THEIRS, Scene, scene
from tests.journeys.stage import settings_for
from tests.security.test_default_deny import routes

NOBODYS = "nobody"
NAME = re.compile(r"\{(tenant|key|request)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A route: its scope, and what to ask. `{tenant}`, `{key}`, `{request}` are a team's own."""

    scope: str
    path: str
    body: Any = None
    is_whole: bool = False  # it is the whole gateway's: no tenant's token may
    is_list: bool = False  # what is others' is not in it
    shared: bool = False  # it is the same for all
    status: int = 200
    more: dict[str, str] = field(default_factory=dict)


MONTH = {"period": "day", "limit_usd": "5.00"}
ROWS = {
    ("GET", "/tenants"): Row(scope=READ, path="/tenants", is_list=True),
    ("POST", "/tenants"): Row(
        scope=WRITE, path="/tenants", body={"path": "{tenant}/new"}, status=201
    ),
    ("GET", "/tenants/{path:path}"): Row(scope=READ, path="/tenants/{tenant}"),
    ("PATCH", "/tenants/{path:path}"): Row(
        scope=WRITE, path="/tenants/{tenant}", body={"suspended": False}
    ),
    ("GET", "/keys"): Row(scope=READ, path="/keys?tenant={tenant}", is_list=True),
    ("POST", "/keys"): Row(scope=KEYS, path="/keys", body={"tenant": "{tenant}"}, status=201),
    ("GET", "/keys/{key_id}"): Row(scope=READ, path="/keys/{key}"),
    ("POST", "/keys/{key_id}/rotate"): Row(
        scope=KEYS, path="/keys/{key}/rotate", body={"overlap_seconds": 60}, status=201
    ),
    ("DELETE", "/keys/{key_id}"): Row(scope=KEYS, path="/keys/{key}", status=204),
    ("GET", "/policies/{subject:path}"): Row(scope=READ, path="/policies/{tenant}?effective=true"),
    ("PATCH", "/policies/{subject:path}"): Row(
        scope=WRITE, path="/policies/{tenant}", body={"store": "deny"}
    ),
    ("GET", "/budgets"): Row(scope=READ, path="/budgets?tenant={tenant}", is_list=True),
    ("GET", "/budgets/{subject:path}"): Row(scope=READ, path="/budgets/{tenant}"),
    ("PUT", "/budgets/{subject:path}"): Row(scope=WRITE, path="/budgets/{tenant}", body=MONTH),
    ("DELETE", "/budgets/{subject:path}"): Row(
        scope=WRITE, path="/budgets/{tenant}?period=day", status=204
    ),
    ("GET", "/prices"): Row(scope=READ, path="/prices", shared=True),
    ("GET", "/prices/{model:path}"): Row(scope=READ, path="/prices/gpt-5-mini", shared=True),
    ("PUT", "/prices/{model:path}"): Row(
        scope=PRICES,
        path="/prices/gpt-5-mini",
        body={"usd_per_million": {"input": "1", "output": "2"}},
        is_whole=True,
    ),
    ("DELETE", "/prices/{model:path}"): Row(scope=PRICES, path="/prices/gpt-5-mini", is_whole=True),
    ("GET", "/price-overrides"): Row(scope=READ, path="/price-overrides", is_whole=True),
    ("GET", "/holds"): Row(scope=READ, path="/holds?tenant={tenant}", is_list=True),
    ("GET", "/usage"): Row(scope=READ, path="/usage?by=tenant,key&tenant={tenant}", is_list=True),
    ("GET", "/entries"): Row(scope=READ, path="/entries?tenant={tenant}", is_list=True),
    ("GET", "/requests/{request_id}"): Row(scope=READ, path="/requests/{request}"),
    ("GET", "/alerts"): Row(scope=READ, path="/alerts?tenant={tenant}", is_list=True),
    ("GET", "/audit"): Row(scope=READ, path="/audit?tenant={tenant}", is_list=True),
    ("GET", "/openapi.json"): Row(scope="", path="/openapi.json", shared=True),
}
DOORS = pytest.mark.parametrize("door", ROWS, ids=" ".join)
NAMED = {door: row for door, row in ROWS.items() if NAME.search(f"{row.path}{row.body}")}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("gateway"), request.param) as one:
        yield one


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(each, names) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    return NAME.sub(lambda found: names[found[1]], value)


def names(on: Scene, whose: str) -> dict[str, str]:
    if whose == NOBODYS:
        return {"tenant": "acme/none", "key": "0123456789ab", "request": "req-none"}
    team = on.ours if whose == OURS else on.theirs
    return {"tenant": team.tenant, "key": team.key_id, "request": team.request_id}


async def answer(on: Scene, door: tuple[str, str], whose: str, token: str | None) -> Any:
    row, known = ROWS[door], names(on, whose)
    return await on.ask(door[0], filled(row.path, known), token=token, json=filled(row.body, known))


def test_every_route_has_a_row(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path, "http://127.0.0.1:9/v1"))
    found = {
        (method, path.removeprefix(PREFIX))
        for path, route in routes(app.routes)
        if path.startswith(PREFIX)
        for method in route.methods or ()
    }
    assert found == set(ROWS)


@DOORS
async def test_without_a_token_nothing_is_told(on: Scene, door: tuple[str, str]) -> None:
    told = await answer(on, door, OURS, None)
    assert (told.status_code, told.json()["code"]) == (401, "invalid_admin_token")
    assert told.headers["www-authenticate"].startswith("Bearer")
    assert "gateway tokens create" in told.json()["detail"]


@DOORS
async def test_without_its_scope_a_token_may_not(on: Scene, door: tuple[str, str]) -> None:
    scope = ROWS[door].scope
    others = [one for one in SCOPES if one != scope]
    for whose in (OURS, THEIRS, NOBODYS):
        told = await answer(on, door, whose, on.token(*others, tenant=None))
        if scope:
            assert (told.status_code, told.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("door", NAMED, ids=" ".join)
async def test_what_is_anothers_does_not_exist(on: Scene, door: tuple[str, str]) -> None:
    token = on.token()
    deeds = len(audit_rows(on.engine))
    theirs = await answer(on, door, THEIRS, token)
    nobodys = await answer(on, door, NOBODYS, token)
    assert theirs.status_code == 404, theirs.text
    said = nobodys.text
    for name, value in names(on, NOBODYS).items():
        said = said.replace(value, names(on, THEIRS)[name])
    assert theirs.text == said
    assert len(audit_rows(on.engine)) == deeds, "and nothing was done on the way"
    root = await answer(on, door, THEIRS, ROOT_TOKEN)
    assert root.status_code == ROWS[door].status, "it is there, for who may see it"


async def test_nothing_of_anothers_is_in_any_list(on: Scene) -> None:
    token = on.token()
    strangers = (THEIRS, on.theirs.key_id, on.theirs.request_id, on.theirs.hold_id, f'"{ABOVE}"')
    for (method, _), row in ROWS.items():
        if not row.is_list:
            continue
        for path in (row.path.partition("?")[0], filled(row.path, names(on, OURS))):
            told = await on.ask(method, path, token=token)
            assert told.status_code == 200, told.text
            assert OURS in told.text, (path, "what is its own is there")
            assert [one for one in strangers if one in told.text] == [], path
    assert THEIRS in (await on.ask("GET", "/tenants")).text


@DOORS
async def test_what_is_ones_own_can_be_done(on: Scene, door: tuple[str, str]) -> None:
    row = ROWS[door]
    if door == ("DELETE", "/budgets/{subject:path}"):
        await answer(on, ("PUT", "/budgets/{subject:path}"), OURS, ROOT_TOKEN)
    told = await answer(on, door, OURS, on.token())
    if row.is_whole:
        assert (told.status_code, told.json()["code"]) == (403, "scope_missing")
    else:
        assert told.status_code == row.status, told.text


async def test_who_only_asks_changes_nothing(on: Scene) -> None:
    def changes() -> list[int]:
        with on.engine.connect() as connection:
            tables = (admin_schema.audit, schema.change, schema.api_key, schema.alert)
            return [
                connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables
            ]

    before = changes()
    for method, path in ROWS:
        if method == "GET":
            assert (await answer(on, (method, path), OURS, ROOT_TOKEN)).status_code in (200, 404)
    assert changes() == before
    assert {method for method, _ in ROWS} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def test_a_cookie_opens_nothing(on: Scene) -> None:
    for cookie in (f"token={ROOT_TOKEN}", f"session={on.token()}"):
        told = await on.ask("POST", "/keys", token=None, headers={"cookie": cookie}, json={})
        assert told.status_code == 401


async def test_a_token_does_not_loosen_what_others_set_on_its_own_tenant(on: Scene) -> None:
    token = on.token(READ, WRITE)
    for method, path, body in (
        ("PUT", f"/budgets/{OURS}", MONTH),
        ("DELETE", f"/budgets/{OURS}?period=month", None),
        ("PATCH", f"/policies/{OURS}", {"store": None}),
        ("PATCH", f"/tenants/{OURS}", {"suspended": False}),
    ):
        told = await on.ask(method, path, token=token, json=body)
        assert (told.status_code, told.json()["code"]) == (403, "scope_missing"), path
        assert "'own'" in told.json()["detail"]
    below = f"{OURS}/ana"
    assert (await on.ask("POST", "/tenants", token=token, json={"path": below})).is_success
    assert (await on.ask("PUT", f"/budgets/{below}", token=token, json=MONTH)).is_success
    assert (await on.ask("PUT", f"/budgets/{on.ours.key_id}", token=token, json=MONTH)).is_success


async def test_a_bill_does_not_tell_of_the_budgets_above(on: Scene) -> None:
    path = f"/requests/{on.ours.request_id}"
    seen = await on.read(path, token=on.token())
    assert [one["subject"] for one in seen["budgets"]] == [OURS]
    whole = await on.read(path)
    assert [one["subject"] for one in whole["budgets"]] == [ABOVE, OURS]
