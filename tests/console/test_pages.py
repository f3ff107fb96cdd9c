"""The console in a real browser: both themes and a telephone's width, without a fault.

No page may say an error to the browser's console, ask anybody else for anything, be wider than its
window, or break a rule of axe's. Not here: which figures are right (`tests/app/console`).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize

from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.reports import entries
from gateway.core.money import to_usd
from tests.console.looking import (
    NARROW,
    WIDE,
    Theme,
    Window,
    browser,
    gateway_url,
    log_in,
    month_stage,
    window,
)
from tests.fakes.installs import node_packages
from tests.journeys.caller import calling
from tests.journeys.stage import Stage, body, now_us

WAIT_MS = 20_000
STATES: tuple[tuple[Theme, ViewportSize], ...] = (
    ("light", WIDE), ("dark", WIDE), ("dark", NARROW), ("light", NARROW),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where all tests look."""

    stage: Stage
    keys: dict[str, str]
    browser: Browser
    axe: str

    @property
    def url(self) -> str:
        return gateway_url(self.stage)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the gateway and the browser of all tests."""
    return "asyncio"


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    manifest = await asyncio.to_thread(node_packages, Path(__file__).parent)
    axe = (manifest.parent / "node_modules" / "axe-core" / "axe.min.js").read_text()
    async with browser() as opened, month_stage(tmp_path_factory.mktemp("month")) as (on, keys):
        yield Place(stage=on, keys=keys, browser=opened, axe=axe)


def addresses(place: Place) -> list[str]:
    """Every page, with something on it; and those that have nothing to show."""
    engine = place.stage.engine
    key = Directory(engine=engine, now_us=now_us).list_keys("acme/search")[0].id
    budgets = Budgets(engine=engine, now_us=now_us).list_budgets()
    request = next(one for one in entries(engine, limit=500) if "gw_policy" in one.tags).request_id
    return [
        "/console", "/console?by=model&span=7d", "/console?tenant=acme/none", "/console/budgets",
        *(f"/console/budgets/{one.budget.id}" for one in budgets[:2]), "/console/live",
        "/console/requests", "/console/requests?model=none", f"/console/requests/{request}",
        "/console/requests/01931refused-0", "/console/tenants", "/console/tenants/acme/search",
        f"/console/tenants/{key}", "/console/prices", "/console/prices/gpt-5.4", "/console/advice",
    ]  # fmt: skip


async def looked_at(place: Place, seen: Window) -> dict[str, Any]:
    """What is wrong with a page as it stands."""
    found = await seen.page.evaluate(
        f"""async () => {{
            if (!window.axe) {{ {place.axe} }}
            const found = await axe.run(document, {{resultTypes: ["violations"]}});
            const root = document.documentElement;
            return {{
                rules: found.violations.map((one) => one.id + ": " + one.nodes[0].html),
                wide: root.scrollWidth - innerWidth,
                charts: document.querySelectorAll(".chart:not(:has(canvas))").length,
            }};
        }}"""
    )
    return {name: value for name, value in found.items() if value and value != -0}


async def test_every_page_in_both_themes_and_on_a_telephone(place: Place) -> None:
    async with window(place.browser, place.url) as seen:
        await log_in(seen)
        for address in addresses(place):
            await seen.open(address)
            for theme, size in STATES:
                await seen.page.emulate_media(color_scheme=theme)
                await seen.page.set_viewport_size(size)
                is_axe_due = (theme, size) != ("light", NARROW)  # its colours and order are known
                if is_axe_due:
                    assert await looked_at(place, seen) == {}, (address, theme, size)
                wide = "document.documentElement.scrollWidth <= innerWidth"
                assert await seen.page.evaluate(wide), (address, size)
            await seen.page.set_viewport_size(WIDE)
        assert seen.faults == []


async def test_the_form_to_log_in_too(place: Place) -> None:
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        async with window(place.browser, place.url, theme=theme, size=NARROW) as seen:
            await seen.open("/console/login?next=/console/prices")
            assert await looked_at(place, seen) == {}
            await seen.page.keyboard.type("not-the-token")
            await seen.page.keyboard.press("Enter")
            await seen.page.wait_for_selector("[role=alert]")
            assert await looked_at(place, seen) == {}
            assert [fault for fault in seen.faults if "401" not in fault] == []


async def test_live_changes_while_a_stream_runs(place: Place) -> None:
    key = place.keys["globex"]
    async with window(place.browser, place.url) as seen:
        await log_in(seen)
        await seen.open("/console/live")
        assert await seen.page.inner_text("[data-open]") == "0"
        said = body("Hello [sim: output=2000; slow=10]", model="gpt-4.1")
        tokens = "[data-request] td:nth-child(5)"
        async with calling(place.stage.port, key, said):
            await seen.page.wait_for_selector("text=writing", timeout=WAIT_MS)
            first = int((await seen.page.inner_text(tokens)).replace(",", ""))
            await seen.page.wait_for_function(
                "(first) => Number(document.querySelector("
                "'[data-request] td:nth-child(5)')?.innerText.replace(',', '')) > first",
                arg=first,
                timeout=WAIT_MS,
            )
        await seen.page.wait_for_selector("text=client gone", timeout=WAIT_MS)
        assert seen.faults == []


async def test_filters_are_in_the_address_and_survive_a_reload(place: Place) -> None:
    wanted = entries(place.stage.engine, tenant="acme/support", limit=100_000)
    meant = [one.request_id for one in wanted if one.model == "gpt-5.4"][:30]
    async with window(place.browser, place.url) as seen:
        await log_in(seen)
        await seen.open("/console/requests")
        await seen.page.fill("#tenant", "acme/support")
        await seen.page.fill("#model", "gpt-5.4")
        await seen.page.press("#model", "Enter")
        await seen.page.wait_for_url("**/requests?*model=gpt-5.4*")
        for _ in range(2):
            assert await seen.page.input_value("#tenant") == "acme/support"
            links = await seen.page.eval_on_selector_all(
                "tbody a", "(all) => all.map((one) => one.pathname.split('/').at(-1))"
            )
            assert links == meant
            await seen.page.reload()
        assert seen.faults == []


async def test_the_total_that_is_shown_is_the_ledger_s(place: Place) -> None:
    since_us = (now_us() // 86_400_000_000 - 29) * 86_400_000_000
    rows = entries(place.stage.engine, since_us=since_us, limit=100_000)
    async with window(place.browser, place.url) as seen:
        await log_in(seen)
        shown = await seen.page.get_attribute("[data-total] data", "value")
        total = sum(row.cost_pusd or 0 for row in rows)
        assert shown == to_usd(total)
        rounded = await seen.page.inner_text("[data-total]")
        assert rounded == f"${round(total / 1e12, 2):,.2f}"


async def test_it_is_used_by_the_keyboard_and_keeps_its_light(place: Place) -> None:
    async with window(place.browser, place.url) as seen:
        await log_in(seen)
        await seen.open("/console/budgets")
        await seen.page.keyboard.press("Tab")
        assert await seen.page.evaluate("document.activeElement.className") == "skip"
        await seen.page.keyboard.press("Enter")
        assert await seen.page.evaluate("document.activeElement.id") == "main"
        await seen.page.focus("[data-theme-switch]")
        await seen.page.keyboard.press("Space")
        for _ in range(2):
            scheme = "getComputedStyle(document.documentElement).colorScheme"
            assert await seen.page.evaluate(scheme) == "dark"
            await seen.page.reload()
        assert seen.faults == []


async def test_a_fault_would_be_seen(place: Place) -> None:
    """What the other tests rest on: errors, foreign requests and broken rules are noticed."""
    async with window(place.browser, place.url, size=NARROW) as seen:
        await seen.open("/console/login")
        await seen.page.evaluate(
            """() => {
                document.querySelector("main").innerHTML +=
                    '<img id="wide" width="900" height="9" style="color: red">';
            }"""
        )
        found = await looked_at(place, seen)
        assert any("image-alt" in rule for rule in found["rules"])
        assert found["wide"] > 0
        assert any("style" in fault for fault in seen.faults), "the policy forbids inline styles"
        await seen.page.evaluate("fetch('http://other.test/').catch(() => 0)")
        assert any("connect-src" in fault for fault in seen.faults)
