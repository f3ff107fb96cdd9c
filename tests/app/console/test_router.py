"""Every route over sockets: who may see what, what is written into pages, what CSV cells become."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.policies import Policies
from gateway.adapters.refusals import refusal_row
from gateway.app.console.router import HEADERS, PAGES
from gateway.core.money import PUSD_PER_USD
from tests import builders
from tests.fakes.consoled import ROOT, SCOPED, Consoled, consoled
from tests.journeys.stage import now_us

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
FORMULA = '=HYPERLINK("http://evil.test")'
OWN, FOREIGN = "acme/search", "globex"
# What belongs to the whole gateway is shown to all: it names no tenant.
SHARED = ("/prices", "/prices/{name:path}")


async def fill(on: Consoled) -> dict[str, dict[str, str]]:
    """Two tenants with one of each: the names of what is theirs."""
    directory = Directory(engine=on.engine, now_us=now_us)
    budgets = Budgets(engine=on.engine, now_us=now_us)
    ledger = Ledger(engine=on.engine, owner_id="here", now_us=now_us)
    ledger.start()
    names: dict[str, dict[str, str]] = {}
    for path in (OWN, FOREIGN):
        directory.create_tenant(path)
        mark = path.partition("/")[0]
        key = directory.issue_key(path, name=f"{mark} {EVIL}").id
        given: Any = {"limit_pusd": PUSD_PER_USD, "is_hard": True}
        budget = budgets.set_budget(path, period="total", given=given).id
        fields = {"tenant": path, "key_id": key, "created_at_us": now_us()}
        hold = builders.hold(request_id=f"request-of-{mark}", tags={"who": EVIL}, **fields)
        await ledger.settle(
            builders.exchange(hold=hold, model=f"{mark}-{FORMULA}", reason=EVIL, cost_pusd=777)
        )
        await ledger.hold(builders.hold(request_id=f"open-of-{mark}", **fields))
        refused = builders.hold(request_id=f"refused-of-{mark}", model=EVIL, **fields)
        ledger.note(refusal_row(refused, code="budget_held", message=EVIL, reasons=(EVIL,)))
        await ledger.settle(
            builders.exchange(hold=builders.hold(request_id=f"last-of-{mark}", **fields))
        )
        names[path] = {"key": key, "budget": budget, "mark": mark, "path": path}
    # Its hold stays: what is open is shown too.
    await ledger.aclose()
    Policies(engine=on.engine, now_us=now_us).change("acme", given={"models": ["gpt-5-mini"]})
    return names


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Consoled]:
    async with consoled(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
async def names(on: Consoled) -> dict[str, dict[str, str]]:
    return await fill(on)


def addresses(path: str, of: dict[str, str]) -> list[str]:
    """The pages of one route, about what belongs to one tenant."""
    if path.startswith("/budgets/"):
        return [f"/console/budgets/{of['budget']}"]
    if path == "/requests/{name}":
        return [f"/console/requests/{what}-of-{of['mark']}" for what in ("request", "refused")]
    if path == "/tenants/{name:path}":
        return [f"/console/tenants/{of['path']}", f"/console/tenants/{of['key']}"]
    if path == "/prices/{name:path}":
        return ["/console/prices/gpt-5-mini?input=1000&output=50"]
    return [f"/console{path}", f"/console{path}?tenant={of['path']}"]


def tables(page: httpx.Response) -> list[str]:
    return [part.split('"')[0].split("&")[0] for part in page.text.split("csv=")[1:]]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_and_each_of_its_tables(
    on: Consoled, names: dict[str, dict[str, str]], path: str
) -> None:
    for address in addresses(path, names[OWN]):
        page = await on.get(address)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        for table in tables(page):
            found = await on.get(f"{address}{'&' if '?' in address else '?'}csv={table}")
            if path != "/live/rows":
                assert found.status_code == 200, table
                assert found.headers["content-type"] == "text/csv; charset=utf-8"
        missing = await on.get(f"{address}{'&' if '?' in address else '?'}csv=nothing")
        assert missing.status_code == 404


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_what_is_not_theirs(
    on: Consoled, names: dict[str, dict[str, str]], path: str
) -> None:
    """With a token of `acme`: each route, each table, and each object of somebody else."""
    foreign = {names[FOREIGN]["key"], names[FOREIGN]["budget"], FOREIGN}
    for address in addresses(path, names[OWN]):
        page = await on.get(address, SCOPED)
        assert page.status_code == 200, address
        texts = [page.text]
        joint = "&" if "?" in address else "?"
        texts += [(await on.get(f"{address}{joint}csv={one}", SCOPED)).text for one in tables(page)]
        assert not [name for name in foreign for text in texts if name in text], address
    if path not in SHARED:
        for address in addresses(path, names[FOREIGN]):
            if "{" in path or "tenant=" in address:
                assert (await on.get(address, SCOPED)).status_code == 404, address
                assert (await on.get(address, ROOT)).status_code == 200, address


async def test_a_tenant_whose_name_only_begins_alike_is_another(
    on: Consoled, names: dict[str, dict[str, str]]
) -> None:
    Directory(engine=on.engine, now_us=now_us).create_tenant("acme-x")
    assert (await on.get("/console/tenants/acme-x", SCOPED)).status_code == 404
    assert "acme-x" not in (await on.get("/console/tenants", SCOPED)).text


@pytest.mark.parametrize("path", PAGES)
async def test_no_name_becomes_markup(
    on: Consoled, names: dict[str, dict[str, str]], path: str
) -> None:
    for address in [*addresses(path, names[OWN]), *addresses(path, names[FOREIGN])]:
        text = (await on.get(address)).text
        assert "<script>alert" not in text, address
        assert "<img" not in text, address
    seen = (await on.get("/console/requests/request-of-acme")).text
    assert "&lt;script&gt;alert(1)" in seen, "it was there to be escaped"


async def test_what_is_asked_for_does_not_become_markup(on: Consoled) -> None:
    for query in ("model", "key", "tenant", "outcome", "since", "before", "find", "span", "by"):
        for page in ("", "/requests", "/prices", "/advice"):
            text = (await on.get(f"/console{page}?{query}={EVIL}")).text
            assert "<script>alert" not in text, (page, query)


async def test_values_that_cannot_be_are_told(on: Consoled) -> None:
    for query in ("since=yesterday", "before=x", "outcome=lost", "before=5"):
        page = await on.get(f"/console/requests?{query}")
        assert (page.status_code, query.partition("=")[0] in page.text) == (400, True)
    for address in ("?span=1y", "/prices/gpt-5-mini?input=x", "/prices/gpt-5-mini?cached=1&input=0",
                    "/prices/gpt-5-mini?output=9999999999", "/advice?model=gpt-x"):  # fmt: skip
        assert (await on.get(f"/console{address}")).status_code == 400, address


async def test_no_cell_of_a_table_is_a_formula(
    on: Consoled, names: dict[str, dict[str, str]]
) -> None:
    text = (await on.get("/console/requests?csv=requests")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["cost_usd"] for row in rows} == {"0.000000000777", "0.000360000000"}
    refused = (await on.get("/console/budgets?csv=refused")).text
    assert next(csv.DictReader(io.StringIO(refused)))["code"] == "budget_held"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]


async def test_static_files_are_those_that_are_there(on: Consoled) -> None:
    async with on.client() as client:
        page = await client.get("/console/static/console.css?v=1")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/css; charset=utf-8")
        script = await client.get("/console/static/vendor/htmx.min.js")
        assert "immutable" in script.headers["cache-control"]
        for name in ("../router.py", "nothing.css", "", "vendor", "%2e%2e/page.py"):
            assert (await client.get(f"/console/static/{name}")).status_code == 404, name


async def test_a_database_that_is_away_is_told(
    on: Consoled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("", {}, Exception("away"))

    monkeypatch.setattr(on.engine, "connect", away)
    page = await on.get("/console/budgets")
    assert (page.status_code, "does not answer" in page.text) == (503, True)
