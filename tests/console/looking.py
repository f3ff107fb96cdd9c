"""A gateway with a month behind it, and a browser in front of it.

The browser is the system's Chromium. It records what a console may never do: errors, and requests
to anybody else. Not here: what is to be seen.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright

from gateway.adapters.database import open_engine
from gateway.adapters.migrate import upgrade
from tests.console import history
from tests.fakes.installs import absent
from tests.journeys.held import patience
from tests.journeys.stage import Stage, stage

TOKEN = "the-operators-token-of-these-tests"
WIDE: ViewportSize = {"width": 1200, "height": 860}
NARROW: ViewportSize = {"width": 360, "height": 740}
Theme = Literal["light", "dark"]


@dataclass(slots=True)
class Window:
    """A page of the browser, and what it should not have done."""

    page: Page
    url: str  # of the gateway
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Load a page of the console, all of it."""
        await self.page.goto(f"{self.url}{path}", wait_until="load")


@asynccontextmanager
async def month_stage(folder: Path) -> AsyncIterator[tuple[Stage, dict[str, str]]]:
    """The gateway, and its tenants' keys."""
    engine = open_engine(f"sqlite:///{folder / 'gateway.db'}", synchronous="NORMAL")
    upgrade(engine)
    keys = history.make_tenants(engine)
    history.set_rules(engine)
    await history.write_month(engine)
    engine.dispose()
    async with (
        patience(),
        stage(folder, admin={"token": TOKEN}, limits={"rows_per_page": 30}) as on,
    ):
        yield on, keys


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """The system's; skips the test, with the reason, where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        absent("chromium is missing")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        await opened.close()


@asynccontextmanager
async def window(
    on: Browser, url: str, *, theme: Theme = "light", size: ViewportSize = WIDE
) -> AsyncIterator[Window]:
    """A window of a person who has not logged in."""
    context = await on.new_context(
        color_scheme=theme,
        reduced_motion="reduce",  # a colour on its way to another has no contrast yet
        viewport=size,
        locale="en-US",
        timezone_id="UTC",
    )
    page = await context.new_page()
    seen = Window(page=page, url=url)
    page.on("console", lambda said: _note(seen, said.type in {"error", "warning"}, said.text))
    page.on("pageerror", lambda error: _note(seen, True, str(error)))
    await context.route("**/*", lambda route: _stay(route, seen))
    yield seen
    await context.close()


async def log_in(seen: Window, token: str = TOKEN) -> None:
    await seen.open("/console/login")
    await seen.page.fill("#token", token)
    await seen.page.click("text=Log in >> nth=-1")
    await seen.page.wait_for_load_state("load")


def gateway_url(on: Stage) -> str:
    return f"http://127.0.0.1:{on.port}"


def _note(seen: Window, is_fault: bool, text: str) -> None:
    if is_fault:
        seen.faults.append(text)


async def _stay(route: Route, seen: Window) -> None:
    if route.request.url.startswith((seen.url, "data:")):
        await route.continue_()
        return
    seen.faults.append(f"asked for {route.request.url}")
    await route.abort()
