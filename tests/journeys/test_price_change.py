"""A price that changes under a running gateway: each request has that of its admission."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.overrides import HEARD_US, Overrides, overrides_in
from gateway.adapters.repricing import reprice
from gateway.core.layers import overlaid
from tests.fakes import ledgerview
from tests.journeys.bill import BOOK
from tests.journeys.stage import Stage, body, now_us, stage

DOCUMENT = b"""{"as_of": "2026-11-22", "prompt_overhead_tokens": 64, "models": {"gpt-5-mini": {
    "input_tokens_max": 272000, "output_tokens_max": 128000,
    "prices": [{"source": "contract", "default": {"input": "7", "output": "9"}}]}}}"""
OLD, NEW = (250_000, 2_000_000), (7_000_000, 9_000_000)
SECOND_US = 1_000_000


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    patient = {"missing_seconds_max": 60}
    async with stage(tmp_path, reconcile=patient, policy={"unpriced": "record"}) as one:
        yield one


def change(on: Stage) -> int:
    """Set a price that begins as soon as all can have heard of it; when."""
    overrides = Overrides(engine=on.engine, now_us=now_us)
    said = overrides.say(
        "gpt-5-mini", DOCUMENT, from_us=None, to_us=None, author="ana", note="contract"
    )
    assert said.effective_from_us == said.at_us + HEARD_US
    return said.effective_from_us


async def status(on: Stage, name: str) -> str:
    async with on.client() as client:
        return str((await client.get(f"{on.base_url}/responses/{name}")).json()["status"])


async def wait_until(at_us: int) -> None:
    await asyncio.sleep(at_us / SECOND_US - time.time())


async def test_each_is_priced_by_its_admission(on: Stage) -> None:
    assert (await on.post(body())).status_code == 200
    begins_us = change(on)
    async with asyncio.TaskGroup() as tasks:
        # Under way when the price changes: streamed, whole, and in the background.
        slow = [
            tasks.create_task(on.post(body("[sim: delay=3500]", stream=stream)))
            for stream in (True, False)
        ]
        behind = await on.post(body("[sim: takes=3.5]", stream=False, background=True))
        await wait_until(begins_us - SECOND_US // 2)
        assert (await on.post(body())).status_code == 200
        await wait_until(begins_us + SECOND_US // 2)
        assert not any(task.done() for task in slow)
        assert (await on.post(body())).status_code == 200
        assert await status(on, behind.json()["id"]) == "in_progress"
    while await status(on, behind.json()["id"]) != "completed":
        await asyncio.sleep(0.1)
    entries = await on.settled(6)
    for entry in entries:
        is_old = entry.created_at_us < begins_us
        units = {line.meter: line.unit_price_pusd for line in entry.lines}
        assert (units["input"], units["output"]) == (OLD if is_old else NEW)
        assert entry.price_version is not None
        assert entry.price_version.startswith("database:") != is_old
        assert entry.cost_pusd == sum(line.quantity * line.unit_price_pusd for line in entry.lines)
        assert entry.hold_pusd >= entry.cost_pusd
    assert entries[3].created_at_us < begins_us <= entries[5].created_at_us
    assert behind.json()["id"] in [entry.response_id for entry in entries[:4]]


async def test_what_had_no_price_gets_one(on: Stage) -> None:
    """Recorded without a cost, priced when the price is there: budgets and hours then agree."""
    budgets = Budgets(engine=on.engine, now_us=now_us)
    given = Given(limit_pusd=10**12, is_hard=False)
    budgets.set_budget("acme", period="month", given=given)
    for stream in (True, False):
        assert (await on.post(body(model="gpt-99", stream=stream))).status_code == 200
    entries = await on.settled(2)
    assert [entry.cost_pusd for entry in entries] == [None, None]
    document = DOCUMENT.replace(b"gpt-5-mini", b"gpt-99")
    Overrides(engine=on.engine, now_us=now_us).say(
        "gpt-99", document, from_us=0, to_us=None, author="ana", note="at last"
    )
    with on.engine.connect() as connection:
        book = overlaid(BOOK, overrides_in(connection))
    outcome = reprice(on.engine, book, now_us=now_us())
    cost_pusd = sum(
        7_000_000 * (one.input_tokens or 0) + 9_000_000 * (one.output_tokens or 0)
        for one in entries
    )
    assert (outcome.posted, outcome.cost_pusd) == ({"gpt-99": 2}, {"gpt-99": cost_pusd})
    (standing,) = budgets.list_budgets("acme")
    assert (standing.account.spent_pusd, standing.account.held_pusd) == (cost_pusd, 0)
    ledgerview.audit(on.engine)
