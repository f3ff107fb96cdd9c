"""Makes the pictures that the README shows: `python -m tests.console.pictures`.

They are the console's own pages in the browser of the tests, on the demo's tenants with a month
behind them. Not here: the tests.
"""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from playwright.async_api import Browser, ViewportSize

from gateway.adapters.budgets import Budgets
from gateway.adapters.reports import entries
from tests.console.looking import (
    NARROW,
    Theme,
    browser,
    gateway_url,
    log_in,
    month_stage,
    window,
)
from tests.journeys.caller import calling
from tests.journeys.stage import Stage, body, now_us

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SIZE: ViewportSize = {"width": 1100, "height": 760}
# Who is under way on the picture of what is under way, and with what.
OPEN = (
    ("acme/search", "gpt-5.4", "Hello [sim: output=900; slow=60]"),
    ("acme/search/ana", "gpt-5-mini", "Hello [sim: stall=2000,30]"),
    ("acme/support", "gpt-6-luna", "[sim: kind=reasoning; reasoning=900; output=900; slow=50]"),
    ("globex", "gpt-4.1", "[sim: kind=function_call; output=900; slow=90]"),
)
STREAM_SECONDS = 3.0


async def make(folder: Path) -> list[Path]:
    """All of them; returns where each is."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        async with (
            month_stage(Path(place)) as (on, keys),
            browser() as opened,
            AsyncExitStack() as open_,
        ):
            for tenant, model, said in OPEN:
                asked = body(said, model=model)
                await open_.enter_async_context(calling(on.port, keys[tenant], asked))
            await asyncio.sleep(STREAM_SECONDS)
            return [
                await _picture(opened, on, folder / f"{name}.png", path, theme, size)
                for name, path, theme, size in _wanted(on)
            ]


def _wanted(on: Stage) -> list[tuple[str, str, Theme, ViewportSize]]:
    budgets = Budgets(engine=on.engine, now_us=now_us).list_budgets()
    budget = next(one.budget.id for one in budgets if one.budget.subject == "acme/search")
    bill = next(one for one in entries(on.engine, limit=500) if "gw_policy" in one.tags)
    return [
        ("live", "/console/live", "dark", SIZE),
        ("overview", "/console", "light", SIZE),
        ("budget", f"/console/budgets/{budget}", "dark", SIZE),
        ("request", f"/console/requests/{bill.request_id}", "light", SIZE),
        ("telephone", "/console", "dark", NARROW),
    ]


async def _picture(
    opened: Browser, on: Stage, file: Path, path: str, theme: Theme, size: ViewportSize
) -> Path:
    async with window(opened, gateway_url(on), theme=theme, size=size) as seen:
        await log_in(seen)
        await seen.open(path)
        await seen.page.screenshot(path=file)
    return file


if __name__ == "__main__":
    for made in asyncio.run(make(FOLDER)):
        print(f"{made}: {made.stat().st_size:,} bytes")
