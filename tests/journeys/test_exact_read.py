"""Every recording once more, as the answer to a read of a response whose cost is still owed.

Not a byte changes, and who reads how it ended has settled it; what has not ended stays held.
"""

from functools import partial

import httpx
import pytest
from sqlalchemy import insert, select

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.pricefile import load_prices
from gateway.adapters.rows import hold_row
from tests import builders
from tests.fakes import ledgerview
from tests.journeys.cuts import all_of, random_pieces
from tests.journeys.stage import TENANT, Stage, now_us
from tests.journeys.test_exact import OUTCOMES, REQUESTED, STATUS_OUTCOMES, assert_usage
from tests.recordings import Row, index_rows

CARD = load_prices().find(REQUESTED, now_us())


def outcome(row: Row) -> str:
    """How the response ended; empty where it has not, or is none."""
    ended = {**OUTCOMES, **STATUS_OUTCOMES, "response.compaction": "completed"}
    return ended.get(row.terminal, "").replace("aborted", "")


def owe(on: Stage, names: list[str]) -> None:
    """A hold of the gateway's own for each response."""
    columns = schema.hold.c.keys()
    with write_transaction(on.engine) as connection:
        owner = connection.scalars(select(schema.owner.c.id)).one()
        for name in names:
            held = builders.hold(
                tenant=TENANT, model=REQUESTED, price=CARD, endpoint="responses", service_tier=None
            )
            row = dict(zip(columns, hold_row(held, owner_id=owner), strict=True))
            connection.execute(insert(schema.hold).values({**row, "response_id": name}))


async def read(one: tuple[str, Row], *, on: Stage, client: httpx.AsyncClient) -> None:
    name, row = one
    data = row.read()
    kind = "text/event-stream; charset=utf-8" if row.is_stream else "application/json"
    on.simulator.replay(
        data,
        method="GET",
        path=f"/v1/responses/{name}",
        content_type=kind,
        pieces=random_pieces(data, len(data)),
        is_counted=len(data) % 2 == 1 and not row.is_stream,
    )
    query = "?stream=true&starting_after=1" if row.is_stream else ""
    told = await client.get(f"{on.base_url}/responses/{name}{query}")
    assert (told.status_code, told.content == data) == (200, True), row.file


@pytest.mark.parametrize("step", [12, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.needs_recordings
async def test_every_recording_is_read_exactly_and_settles_what_is_owed(
    shared_stage: Stage, step: int
) -> None:
    on = shared_stage
    rows = [row for row in index_rows(api="responses") if (row.status or 200) == 200][::step]
    named = {f"resp_{step}x{number}": row for number, row in enumerate(rows)}
    owe(on, list(named))
    async with on.client() as client:
        await all_of(named.items(), partial(read, on=on, client=client))
    entries = {entry.response_id: entry for entry in on.entries()}
    held = {row["response_id"] for row in ledgerview.rows(on.engine, schema.hold)}
    for name, row in named.items():
        assert (name in entries, name in held) == (bool(outcome(row)), not outcome(row)), row.file
        if not outcome(row):
            continue
        entry = entries[name]
        assert_usage(row, entry)
        assert (entry.outcome, entry.served_model or "") == (outcome(row), row.model), row.file
        is_told = row.usage is not None and row.usage["total_tokens"] > 0
        assert (entry.basis == "retrieved") == is_told, row.file
