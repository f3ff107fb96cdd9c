"""What is there before the first request, and what after."""

from pathlib import Path

import httpx
from sqlalchemy import insert

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.refusals import KEPT_MAX
from gateway.adapters.rows import hold_row
from tests import builders
from tests.fakes import ledgerview
from tests.journeys.stage import TENANT, now_us, running, settings_for, stage, until

NOWHERE = "http://127.0.0.1:9/v1"


async def test_tenants_are_in_the_metrics_before_their_first_request(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        Directory(engine=on.engine, now_us=now_us).create_tenant("quiet/one")
    settings = settings_for(tmp_path, NOWHERE)
    async with running(settings) as (_, port), httpx.AsyncClient(trust_env=False) as client:
        told = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    for tenant in ("quiet", "quiet/one", TENANT):
        assert f'gateway_refusals_total{{reason="overloaded",tenant="{tenant}"}} 0.0' in told


async def test_what_a_dead_process_held_is_posted_by_the_next(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        held = builders.hold()
        row = dict(zip(schema.hold.c.keys(), hold_row(held, owner_id="dead"), strict=True))
        with write_transaction(on.engine) as connection:
            connection.execute(insert(schema.hold), row)
    async with stage(tmp_path) as on:
        (entry,) = await on.settled(1)
        assert (entry.request_id, entry.outcome) == (held.request_id, "aborted")
        assert (entry.basis, entry.cost_pusd) == ("worst_case", held.hold_pusd)
        assert ledgerview.rows(on.engine, schema.hold) == []


async def test_of_refusals_the_newest_are_kept(tmp_path: Path) -> None:
    columns = schema.refusal.c.keys()
    row = dict.fromkeys(columns, "x")
    rows = [{**row, "request_id": str(at_us), "at_us": at_us} for at_us in range(KEPT_MAX + 2)]
    async with stage(tmp_path) as on:
        with write_transaction(on.engine) as connection:
            connection.execute(insert(schema.refusal), rows)
    async with stage(tmp_path) as on:
        await until(lambda: len(ledgerview.ids(on.engine, schema.refusal)) == KEPT_MAX)
        assert not {"0", "1"} & ledgerview.ids(on.engine, schema.refusal)
