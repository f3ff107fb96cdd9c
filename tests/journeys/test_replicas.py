"""Two gateways on one PostgreSQL: one ledger, one word about every key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.adapters.directory import Directory
from tests.fakes import ledgerview, postgres
from tests.journeys.stage import TENANT, Stage, body, now_us, stage

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
