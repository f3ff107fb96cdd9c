"""500 tenants that use 20 models: how long `/metrics` takes then, and what streams notice of it.

It prints what it measured: `pytest --long -s tests/journeys/test_metrics_many.py`.
"""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import httpx
import pytest

from gateway.adapters.pricefile import load_prices
from tests.journeys.caller import whole_answer
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, make_key, now_us

MODELS = 20
AT_ONCE = 50
SCRAPES = 20
# Of the families that know no tenant: about 20 lines a model of each histogram, and the rest.
OTHER_SERIES = 3000


def models() -> list[str]:
    """Of those that write text at the default tier."""
    book, now = load_prices(None), now_us()
    cards = [card for name in book.names() if (card := book.find(name, now)) is not None]
    texts = [
        card for card in cards if "default" in card.tiers and card.tiers["default"].short.output
    ]
    return sorted({card.name for card in texts})[:MODELS]


async def everybody_asks(on: ProcessStage, tenants: int) -> None:
    keys = [make_key(on.engine, f"org{number}") for number in range(tenants)]
    places = asyncio.Semaphore(AT_ONCE)

    async def ask(key: str, model: str) -> None:
        async with places:
            await whole_answer(on.gateway.port, key, body("Hi [sim: output=2]", model=model))

    async with asyncio.TaskGroup() as tasks:
        for model in models():
            for key in keys:
                tasks.create_task(ask(key, model))


@asynccontextmanager
async def a_stream(on: ProcessStage, gaps: list[float]) -> AsyncIterator[None]:
    """Streams one after the other while the block runs; how long each waited for its next bytes."""

    async def read() -> None:
        asked = body("[sim: output=200; slow=2]")
        headers = {"authorization": f"Bearer {on.key}"}
        url = f"http://127.0.0.1:{on.gateway.port}/v1/responses"
        async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
            while True:
                async with client.stream("POST", url, json=asked) as reply:
                    before: float | None = None
                    async for _ in reply.aiter_raw():
                        now = time.perf_counter()
                        if before is not None:
                            gaps.append(now - before)
                        before = now

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        yield
        reading.cancel()


# In a process of its own: here it would hold up the reading of streams.
SCRAPE = """
import sys, time, urllib.request
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read()
    print(time.perf_counter() - began)
sys.stderr.buffer.write(text)
"""


async def scraped(on: ProcessStage, times: int) -> tuple[str, list[float]]:
    """The last text, and how many seconds each took."""
    words = (sys.executable, "-c", SCRAPE, str(on.gateway.port), str(times))
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE)
    seconds, text = await process.communicate()
    return text.decode(), [float(line) for line in seconds.split()]


def told(gaps: list[float]) -> str:
    ordered = sorted(gaps)
    return (
        f"p99 {ordered[len(ordered) * 99 // 100] * 1000:.1f} ms, most {ordered[-1] * 1000:.1f} ms"
    )


@pytest.mark.parametrize(
    ("tenants", "labelled_max"),
    [(4, 2), *(pytest.param(500, most, marks=pytest.mark.long) for most in (100, 500))],
)
async def test_series_stay_under_the_cap(tmp_path: Path, tenants: int, labelled_max: int) -> None:
    settings = {"GATEWAY_LIMITS_TENANTS_LABELLED_MAX": str(labelled_max)}
    async with process_stage(tmp_path, **settings) as on:
        await everybody_asks(on, tenants)
        quiet: list[float] = []
        async with a_stream(on, quiet):
            await asyncio.sleep(1)
        gaps: list[float] = []
        async with a_stream(on, gaps):
            text, seconds = await scraped(on, SCRAPES)
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        print(f"\n{tenants} tenants, {labelled_max} labelled: {len(lines)} series")
        print(
            f"/metrics: median {median(seconds) * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms"
        )
        print(f"a stream's waits: {told(quiet)}; while it is scraped: {told(gaps)}")
        accounts = (labelled_max + 1) * MODELS
        assert sum("tenant=" in line and "model=" in line for line in lines) <= accounts * 13
        assert len(lines) <= accounts * 13 + (labelled_max + 1) * 20 + OTHER_SERIES
        assert sum('tenant="other"' in line for line in lines) > 0
