"""What the upstream sent is what the client gets: every recording and every conformance case.

Replayed as the answer to `POST /v1/responses` whole, in random pieces and byte by byte; beside it,
the entry says what the recording's index says. Few cuts here; all of them under `long`.
"""

import base64
from functools import partial

import pytest

from gateway.adapters.reports import EntryRow
from tests.journeys.bill import BOOK
from tests.journeys.cuts import all_of, ones, random_pieces, replayed
from tests.journeys.stage import Stage
from tests.recordings import Row, index_rows, shared_json

OUTCOMES = {
    "": "aborted",
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "error+response.failed": "failed",
}
STATUS_OUTCOMES = {
    "complete": "completed",
    "completed": "completed",
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "failed": "failed",
}
REQUESTED = "gpt-5-mini"

SHORT_OR_LONG = pytest.mark.parametrize(
    ("cuts", "ones_bytes_max"), [(1, 2_500), pytest.param(20, 1 << 20, marks=pytest.mark.long)]
)


def ways(data: bytes, cuts: int, ones_bytes_max: int) -> list[list[int]]:
    pieces = [[], *(random_pieces(data, seed) for seed in range(cuts))]
    return [*pieces, ones(data)] if len(data) <= ones_bytes_max else pieces


async def play(row: Row, *, on: Stage, cuts: int, ones_bytes_max: int) -> list[str]:
    """One recording in all its ways; the ids of the requests."""
    data = row.read()
    ids = []
    for number, pieces in enumerate(ways(data, cuts, ones_bytes_max)):
        is_counted = not row.is_stream and number % 2 == 1
        kind = "text/event-stream; charset=utf-8" if row.is_stream else "application/json"
        request_id = await replayed(
            on,
            data,
            name=row.file,
            pieces=pieces,
            status=row.status or 200,
            content_type=kind,
            is_counted=is_counted,
        )
        ids.append(request_id)
    return ids


async def play_all(
    rows: list[Row], on: Stage, cuts: int, ones_bytes_max: int
) -> list[tuple[Row, EntryRow]]:
    """Every recording, with the entry of each time it was played: one each."""
    before = len(on.entries())
    played = partial(play, on=on, cuts=cuts, ones_bytes_max=ones_bytes_max)
    ids = await all_of(rows, played)
    entries = {entry.request_id: entry for entry in on.entries()[before:]}
    assert len(entries) == sum(map(len, ids))
    return [(row, entries[one]) for row, found in zip(rows, ids, strict=True) for one in found]


def assert_usage(row: Row, entry: EntryRow) -> None:
    """The entry's counts are the index's; without usage there are none."""
    told = row.usage or {}
    given = told.get("input_tokens_details") or {}
    made = told.get("output_tokens_details") or {}
    assert (
        entry.input_tokens,
        entry.output_tokens,
        entry.cached_tokens or 0,
        entry.reasoning_tokens or 0,
    ) == (
        told.get("input_tokens"),
        told.get("output_tokens"),
        given.get("cached_tokens", 0),
        made.get("reasoning_tokens", 0),
    ), row.file


def assert_cost(row: Row, entry: EntryRow) -> None:
    """The lines add up; what has no price is unknown, and never zero."""
    is_unpriced = BOOK.find(row.model, entry.created_at_us) is None
    assert is_unpriced == (entry.problem == "model_unpriced") or entry.basis != "reported"
    if entry.problem in {"model_unpriced", "meter_unpriced"}:
        assert entry.cost_pusd is None, row.file
    elif entry.basis == "reported":
        assert entry.cost_pusd == sum(line.cost_pusd for line in entry.lines) > 0, row.file
    else:
        assert entry.cost_pusd == (entry.hold_pusd if entry.basis == "worst_case" else 0), row.file


def assert_told(row: Row, entry: EntryRow) -> None:
    assert_usage(row, entry)
    assert_cost(row, entry)
    assert (entry.served_model or "", entry.service_tier or "") == (row.model, row.service_tier)
    assert (entry.response_id or "") == row.response_id or entry.outcome == "aborted", row.file
    assert (entry.model, entry.client_gone) == (REQUESTED, False)


@SHORT_OR_LONG
@pytest.mark.needs_recordings
async def test_every_recorded_stream_of_responses_is_exact_and_metered(
    shared_stage: Stage, cuts: int, ones_bytes_max: int
) -> None:
    rows = index_rows(api="responses", stream=True)
    for row, entry in await play_all(rows, shared_stage, cuts, ones_bytes_max):
        assert_told(row, entry)
        assert entry.outcome == OUTCOMES[row.terminal], row.file
        basis = "reported" if row.usage else "none" if "failed" in row.terminal else "worst_case"
        is_suspect = "zero_usage" in row.kinds
        assert entry.basis == ("worst_case" if is_suspect else basis), row.file
        if row.incomplete:
            assert entry.reason == row.incomplete["reason"]


@SHORT_OR_LONG
@pytest.mark.needs_recordings
async def test_every_recorded_body_of_responses_is_exact_and_metered(
    shared_stage: Stage, cuts: int, ones_bytes_max: int
) -> None:
    rows = index_rows(api="responses", stream=False)
    for row, entry in await play_all(rows, shared_stage, cuts, ones_bytes_max):
        assert_told(row, entry)
        is_refused = (row.status or 200) >= 400
        outcome = "failed" if is_refused else STATUS_OUTCOMES.get(row.terminal, "aborted")
        assert entry.outcome == outcome, row.file


@SHORT_OR_LONG
@pytest.mark.needs_recordings
async def test_streams_of_other_apis_are_exact_and_end_aborted(
    shared_stage: Stage, cuts: int, ones_bytes_max: int
) -> None:
    rows = [row for row in index_rows(stream=True) if row.api not in ("responses", "chat")]
    for row, entry in await play_all(rows, shared_stage, cuts, ones_bytes_max):
        told = entry.outcome, entry.basis, entry.cost_pusd
        assert told == ("aborted", "worst_case", entry.hold_pusd), row.file


@pytest.mark.needs_recordings
async def test_every_conformance_case_is_exact_at_each_of_its_cuts(shared_stage: Stage) -> None:
    suite = shared_json("sse_conformance.json")
    assert len(suite["cases"]) == 66
    plays = [
        (f"{case['name']}/{number}", base64.b64decode(case["input_b64"]), pieces)
        for case in suite["cases"]
        for number, pieces in enumerate(case["chunk_splits"])
    ]

    async def play_case(case: tuple[str, bytes, list[int]]) -> str:
        name, data, pieces = case
        return await replayed(shared_stage, data, name=name, pieces=pieces)

    ids = await all_of(plays, play_case)
    entries = {entry.request_id for entry in shared_stage.entries()}
    assert entries.issuperset(ids)
    assert len(set(ids)) == len(plays)


@pytest.mark.needs_recordings
async def test_bytes_pass_whatever_their_content_type_says(shared_stage: Stage) -> None:
    for case in shared_json("sse_conformance.json")["http_cases"]:
        await replayed(
            shared_stage,
            b"data: ok\n\n",
            name=case["name"],
            content_type=case["content_type"],
        )
