"""A price that changes under a running gateway: each request has that of its admission."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.overrides import HEARD_US, Overrides
from tests.journeys.stage import Stage, body, now_us, stage

DOCUMENT = b"""{"as_of": "2026-11-22", "prompt_overhead_tokens": 64, "models": {"gpt-5-mini": {
    "input_tokens_max": 272000, "output_tokens_max": 128000,
    "prices": [{"source": "contract", "default": {"input": "7", "output": "9"}}]}}}"""
OLD, NEW = (250_000, 2_000_000), (7_000_000, 9_000_000)
SECOND_US = 1_000_000


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as one:
        yield one


def change(on: Stage) -> int:
    """Set a price that begins as soon as all can have heard of it; when."""
    overrides = Overrides(engine=on.engine, now_us=now_us)
    said = overrides.say(
        "gpt-5-mini", DOCUMENT, from_us=None, to_us=None, author="ana", note="contract"
    )
    assert said.effective_from_us == said.at_us + HEARD_US
    return said.effective_from_us


async def wait_until(at_us: int) -> None:
    await asyncio.sleep(at_us / SECOND_US - time.time())


async def test_each_is_priced_by_its_admission(on: Stage) -> None:
    assert (await on.post(body())).status_code == 200
    begins_us = change(on)
    await wait_until(begins_us - SECOND_US // 2)
    # Under way when the price changes: slow, and in both manners.
    async with asyncio.TaskGroup() as tasks:
        slow = [
            tasks.create_task(on.post(body("[sim: delay=2000]", stream=stream)))
            for stream in (True, False)
        ]
        assert (await on.post(body())).status_code == 200
        await wait_until(begins_us + SECOND_US // 2)
        assert not any(task.done() for task in slow)
        assert (await on.post(body())).status_code == 200
    entries = await on.settled(5)
    for entry in entries:
        is_old = entry.created_at_us < begins_us
        units = {line.meter: line.unit_price_pusd for line in entry.lines}
        assert (units["input"], units["output"]) == (OLD if is_old else NEW)
        assert entry.price_version is not None
        assert entry.price_version.startswith("database:") != is_old
        assert entry.cost_pusd == sum(line.quantity * line.unit_price_pusd for line in entry.lines)
        assert entry.hold_pusd >= entry.cost_pusd
    assert [entry.created_at_us < begins_us for entry in entries] == [True] * 4 + [False]
    first, last = entries[1].created_at_us, entries[-1].created_at_us
    assert last - first < 2 * SECOND_US, "one second apart"
