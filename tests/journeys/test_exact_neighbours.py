"""Every recorded chat completion and list of embeddings: unchanged, and metered as the index says.

Not here: the cuts inside (`tests/core/test_chat_recordings.py` has them all), or the Responses API.
"""

from pathlib import Path

import pytest

from gateway.adapters.reports import EntryRow
from tests.journeys.cuts import all_of, random_pieces, replayed
from tests.journeys.held import patience
from tests.journeys.stage import Stage, stage
from tests.recordings import Row, index_rows

OUTCOMES = {
    "finish:length": "incomplete",
    "length": "incomplete",
    "error": "failed",
    "": "aborted",
}


async def play(row: Row, on: Stage) -> tuple[Row, str]:
    data = row.read()
    kind = "text/event-stream" if row.is_stream else "application/json"
    request_id = await replayed(
        on,
        data,
        name=row.file,
        pieces=random_pieces(data, row.size_bytes),
        content_type=kind,
        api=row.api,
    )
    return row, request_id


def assert_told(row: Row, entry: EntryRow) -> None:
    used = row.usage or {}
    given = used.get("prompt_tokens_details") or {}
    made = used.get("completion_tokens_details") or {}
    told = used.get("prompt_tokens"), used.get("completion_tokens", 0 if used else None)
    if given.get("cached_tokens", 0) > used.get("prompt_tokens", 0):
        told = None, None  # it cannot be, so it is not believed
        assert (entry.problem, entry.basis) == ("usage_invalid", "worst_case")
    assert (entry.input_tokens, entry.output_tokens) == told, row.file
    if told[0] is not None:
        assert entry.basis == "reported", row.file
        assert (entry.cached_tokens, entry.reasoning_tokens) == (
            given.get("cached_tokens", 0),
            made.get("reasoning_tokens", 0),
        ), row.file
    else:
        assert (entry.basis, entry.cost_pusd) == ("worst_case", entry.hold_pusd), row.file
    if row.terminal == "list" and row.api == "chat":
        assert entry.outcome == "aborted"  # no completion, but a list of some
    else:
        assert entry.outcome == OUTCOMES.get(row.terminal, "completed"), row.file
        assert (entry.served_model or "", entry.service_tier or "") == (row.model, row.service_tier)
        assert (entry.response_id or "") == row.response_id or entry.outcome == "aborted"


@pytest.mark.needs_recordings
async def test_every_recording_is_exact_and_metered(tmp_path: Path) -> None:
    rows = [*index_rows(api="chat"), *index_rows(api="embeddings")]
    assert len(rows) > 90
    async with patience(), stage(tmp_path) as on:
        played = await all_of(rows, lambda row: play(row, on))
        entries = {entry.request_id: entry for entry in on.entries()}
        assert len(entries) == len(rows)
        for row, request_id in played:
            assert_told(row, entries[request_id])
            assert entries[request_id].endpoint == {"chat": "chat.completions"}.get(
                row.api, row.api
            )
