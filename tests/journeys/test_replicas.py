"""Two gateways on one PostgreSQL: one ledger, one word about every key."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters import schema
from gateway.adapters.directory import Directory
from tests.fakes import ledgerview, postgres
from tests.journeys.bill import assert_exact
from tests.journeys.caller import calling
from tests.journeys.process import process_stage
from tests.journeys.stage import TENANT, Stage, body, now_us, stage, until

REQUESTS = 10


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Stage, Stage]]:
    with postgres.database(is_empty=True) as url:
        async with (
            stage(tmp_path / "one", database={"url": url}) as one,
            stage(tmp_path / "other", database={"url": url}) as other,
        ):
            yield one, other


async def statuses(key: str, *stages: Stage) -> list[int]:
    sent = [each.post(body(), authorization=f"Bearer {key}") for each in stages]
    return [answer.status_code for answer in await asyncio.gather(*sent)]


async def test_each_request_is_posted_once_wherever_it_was_served(
    replicas: tuple[Stage, Stage],
) -> None:
    one, _ = replicas
    assert await statuses(one.key, *replicas * REQUESTS) == [200] * 2 * REQUESTS
    entries = await one.settled(2 * REQUESTS)
    assert {entry.basis for entry in entries} == {"reported"}
    ledgerview.audit(one.engine)


async def test_p35_what_a_killed_replica_left_is_settled_by_the_other(tmp_path: Path) -> None:
    """As on another host: nothing is shared but the database, so the lease decides."""
    with postgres.database(is_empty=True) as url:
        own = tmp_path / "creator"
        own.mkdir()
        async with (
            process_stage(own, database_url=url, GATEWAY_LEDGER_LEASE_SECONDS="1") as creator,
            stage(tmp_path / "other", database={"url": url}, ledger={"lease_seconds": 1}) as other,
            calling(creator.gateway.port, creator.key, body("[sim: stall=2000,600]")) as caller,
        ):
            await caller.read(1)
            await until(lambda: ledgerview.rows(other.engine, schema.hold) != [])
            creator.gateway.signal(signal.SIGKILL)
            await caller.read()
            assert caller.ending in ("cut", "reset")
            (entry,) = await other.settled(1)
            assert (entry.outcome, entry.reason) == ("aborted", "gateway_lost")
            assert (entry.basis, entry.cost_pusd) == ("worst_case", entry.hold_pusd)
            assert creator.holds() == 0
            ledgerview.audit(other.engine)


async def test_what_a_killed_replica_had_in_the_background_is_settled_by_the_other(
    tmp_path: Path,
) -> None:
    with postgres.database(is_empty=True) as url:
        own = tmp_path / "creator"
        own.mkdir()
        short = {"lease_seconds": 1}
        async with process_stage(own, database_url=url, GATEWAY_LEDGER_LEASE_SECONDS="1") as one:
            upstream = {"base_url": one.simulator.base_url}
            async with (
                stage(
                    tmp_path / "other", database={"url": url}, ledger=short, upstream=upstream
                ) as other,
                other.client() as client,
            ):
                asked = body("[sim: takes=2]", stream=False, background=True)
                begun = await client.post(
                    f"http://127.0.0.1:{one.gateway.port}/v1/responses", json=asked
                )
                one.gateway.signal(signal.SIGKILL)
                (entry,) = await other.settled(1)
                assert entry.response_id == begun.json()["id"]
                assert_exact(entry, one.simulator.served[0], "retrieved")
                assert (entry.outcome, entry.reason) == ("completed", None)
                ledgerview.audit(other.engine)


@pytest.mark.parametrize("end", ["revoke", "suspend"])
async def test_a_key_that_ended_is_refused_by_both(replicas: tuple[Stage, Stage], end: str) -> None:
    directory = Directory(engine=replicas[0].engine, now_us=now_us)
    key = directory.issue_key(TENANT)
    assert await statuses(key.text, *replicas) == [200, 200]
    if end == "revoke":
        directory.revoke_key(key.id)
    else:
        directory.suspend(TENANT)
    assert await statuses(key.text, *replicas) == [401, 401]
    assert len(replicas[0].entries()) == 2
