"""Responses in the background: one exact entry each, whoever sees the end, whoever dies before."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from gateway.adapters import schema
from gateway.adapters.policies import Policies
from gateway.adapters.reports import EntryRow
from gateway.simulator.oracle import Served
from tests.fakes import ledgerview
from tests.journeys.bill import assert_exact
from tests.journeys.caller import whole_answer
from tests.journeys.held import patience
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import Stage, body, make_key, now_us, running, settings_for, stage, until

ASKED_AT_ONCE = 50
LATE_SECONDS_MAX = 15


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder, patient = tmp_path_factory.mktemp("gateway"), {"missing_seconds_max": 60}
    async with patience(), stage(folder, reconcile=patient) as one:
        yield one


def behind(directive: str, **fields: Any) -> dict[str, Any]:
    return body(f"[sim: {directive}]", **{"stream": False, "background": True, **fields})


async def begin(on: Stage, directive: str) -> str:
    """The name of a response that has begun."""
    answer = await on.post(behind(directive))
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    return str(answer.json()["id"])


def entries_of(on: Stage, name: str) -> list[EntryRow]:
    return [entry for entry in on.entries() if entry.response_id == name]


def is_held(on: Stage, name: str) -> bool:
    return name in [row["response_id"] for row in ledgerview.rows(on.engine, schema.hold)]


async def settled(on: Stage, name: str) -> EntryRow:
    """Its one entry, once it is there."""
    await until(lambda: bool(entries_of(on, name)))
    (entry,) = entries_of(on, name)
    assert not is_held(on, name)
    return entry


def served(on: Stage, name: str) -> Served:
    return next(one for one in on.simulator.served if one.response_id == name)


async def test_its_name_is_on_disk_before_its_client_has_it(on: Stage) -> None:
    name = await begin(on, "takes=60")
    assert (is_held(on, name), entries_of(on, name)) == (True, [])
    async with on.client() as client:
        told = (await client.get(f"http://127.0.0.1:{on.port}/metrics")).text
    assert 'gateway_active_requests{kind="background"} 1.0' in told


async def test_read_a_hundred_times_and_resumed_ten_it_is_one_entry(on: Stage) -> None:
    async with AsyncOpenAI(api_key=on.key, base_url=on.base_url, max_retries=0) as sdk:
        stream = await sdk.responses.create(**behind("takes=0.5; output=40", stream=True))
        told = [await anext(stream) for _ in range(4)]
        await stream.close()
        name = told[0].response.id
        polls = [await sdk.responses.retrieve(name) for _ in range(100)]
        for _ in range(10):
            again = await sdk.responses.retrieve(name, stream=True, starting_after=3)
            events = [event async for event in again]
            assert (events[0].sequence_number, events[-1].type) == (4, "response.completed")
    assert {poll.status for poll in polls} <= {"in_progress", "completed"}
    entry = await settled(on, name)
    assert_exact(entry, served(on, name), entry.basis)


async def test_who_reads_the_end_has_it_on_disk(on: Stage) -> None:
    name = await begin(on, "takes=0.5")
    async with on.client() as client:
        status = ""
        while status != "completed":
            found = await client.get(f"{on.base_url}/responses/{name}")
            status, entries = found.json()["status"], entries_of(on, name)
    (entry,) = entries
    assert_exact(entry, served(on, name), "retrieved")
    assert (entry.reason, entry.client_gone) == (None, False)
    assert entry.duration_us >= 500_000
    assert not is_held(on, name)


async def test_what_broke_off_is_settled_by_who_reads_it(on: Stage) -> None:
    """The gateway asks for it too, but has to wait: the upstream did not show it at once."""
    answer = await whole_answer(on.port, on.key, body("[sim: reset=2000; missing=1]"))
    assert answer.ending == "cut"
    name = on.simulator.served[-1].response_id
    await until(lambda: len([one for one in on.simulator.requests if one.path.endswith(name)]) == 1)
    async with on.client() as client:
        found = await client.get(f"{on.base_url}/responses/{name}")
        assert (found.json()["status"], len(entries_of(on, name))) == ("completed", 1)
    entry = await settled(on, name)
    assert_exact(entry, served(on, name), "retrieved")
    assert (entry.reason, entry.http_status) == ("upstream_reset", 200)


async def test_nobody_reads_it_and_yet_it_is_settled(on: Stage) -> None:
    name = await begin(on, "polls=0")
    assert_exact(await settled(on, name), served(on, name), "retrieved")
    asked = [one.method for one in on.simulator.requests if one.path.endswith(name)]
    assert asked == ["GET"]


async def test_what_is_cancelled_is_owed_at_its_hold(on: Stage) -> None:
    name = await begin(on, "takes=60")
    async with on.client() as client:
        cancelled = (await client.post(f"{on.base_url}/responses/{name}/cancel")).json()
        assert (cancelled["status"], len(entries_of(on, name))) == ("cancelled", 1)
    entry = await settled(on, name)
    told = entry.outcome, entry.basis, entry.problem
    assert told == ("cancelled", "worst_case", "usage_missing")
    assert entry.cost_pusd == entry.hold_pusd > 0


async def test_what_is_deleted_is_asked_for_before(on: Stage) -> None:
    name = await begin(on, "takes=0")
    async with on.client() as client:
        deleted = await client.delete(f"{on.base_url}/responses/{name}")
        assert (deleted.json()["deleted"], len(entries_of(on, name))) == (True, 1)
    assert_exact(await settled(on, name), served(on, name), "retrieved")


async def test_a_policy_says_whether_it_may_and_what_is_at_work_has_its_place(on: Stage) -> None:
    policies = Policies(engine=on.engine, now_us=now_us)
    key = {"authorization": f"Bearer {make_key(on.engine, 'acme/behind')}"}

    async def until_answered(status: int, directive: str) -> Any:
        while (answer := await on.post(behind(directive), **key)).status_code != status:
            await asyncio.sleep(0.05)
        return answer.json()

    policies.change("acme/behind", given={"background": "deny"})
    refused = await until_answered(400, "polls=0")
    assert refused["error"]["code"] == "background_not_allowed"
    policies.change("acme/behind", given={"background": "allow", "concurrent_max": 1})
    await until_answered(200, "takes=60")
    assert (await until_answered(429, "takes=60"))["error"]["code"] == "concurrency_exceeded"


async def test_a_refusal_of_the_upstream_is_the_end(on: Stage) -> None:
    before = len(on.entries())
    answer = await on.post(behind("takes=60", store=False))
    assert answer.status_code == 400
    entry = (await on.settled(before + 1))[-1]
    assert (entry.outcome, entry.basis, entry.cost_pusd) == ("failed", "none", 0)


async def test_another_replica_reads_the_end_for_it(on: Stage, tmp_path: Path) -> None:
    other = settings_for(tmp_path, on.simulator.base_url, database={"url": str(on.engine.url)})
    async with running(other) as (_, port), on.client() as client:
        name = await begin(on, "takes=0.2")
        await asyncio.sleep(0.2)
        found = await client.get(f"http://127.0.0.1:{port}/v1/responses/{name}")
        assert (found.json()["status"], len(entries_of(on, name))) == ("completed", 1)
        assert_exact(await settled(on, name), served(on, name), "retrieved")


async def begun(on: ProcessStage, asked: list[dict[str, Any]]) -> list[str]:
    """Their names, once all have been answered."""
    url = f"http://127.0.0.1:{on.gateway.port}/v1/responses"
    headers = {"authorization": f"Bearer {on.key}"}
    limits = httpx.Limits(max_connections=ASKED_AT_ONCE)
    async with httpx.AsyncClient(
        trust_env=False, timeout=60, limits=limits, headers=headers
    ) as client:
        answers = await asyncio.gather(*(client.post(url, json=one) for one in asked))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["id"] for answer in answers]


@pytest.mark.parametrize(
    ("count", "seconds_max"), [(40, 3), pytest.param(200, 150, marks=pytest.mark.long)]
)
async def test_a_kill_in_the_middle_loses_none_and_doubles_none(
    tmp_path: Path, count: int, seconds_max: float
) -> None:
    async with process_stage(tmp_path, GATEWAY_LOG_LEVEL="warning") as on:
        spans = [seconds_max * number / count for number in range(1, count + 1)]
        names = await begun(on, [behind(f"takes={span}") for span in spans])
        await asyncio.sleep(seconds_max / 3)
        on.gateway.signal(signal.SIGKILL)
        await on.gateway.exit_code()
        await on.start()
        back_us = now_us()
        await until(lambda: on.holds() == 0, seconds_max=seconds_max + 2 * LATE_SECONDS_MAX)

        entries = {str(entry.response_id): entry for entry in on.entries()}
        assert (len(on.entries()), sorted(entries)) == (count, sorted(names))
        for one in on.simulator.served:
            assert_exact(entries[one.response_id], one, "retrieved")
        late_us = 0
        for name, span in zip(names, spans, strict=True):
            ended_us = max(back_us, entries[name].created_at_us + int(span * 1e6))
            late_us = max(late_us, entries[name].settled_at_us - ended_us)
        print(f"{count} in the background and a kill: at most {late_us / 1e6:.1f} s late")
        assert late_us <= LATE_SECONDS_MAX * 1_000_000
        ledgerview.audit(on.engine)


async def test_a_completion_window_is_priced_as_it_was_asked_for(on: Stage) -> None:
    window = {"background_options": {"completion_window": "8h"}, "model": "gpt-6-luna"}
    answer = await on.post(behind("takes=0.3", **window))
    entry = await settled(on, answer.json()["id"])
    units = {line.meter: line.unit_price_pusd for line in entry.lines}
    assert (units["input"], units["output"]) == (60_000, 300_000)  # three fifths of 0.1 and 0.5
    refused = await on.post(behind("takes=0.3", **{**window, "model": "gpt-5-mini"}))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "background_options")
