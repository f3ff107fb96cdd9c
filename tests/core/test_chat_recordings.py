"""Every recorded completion and list of embeddings, observed as its index says, at any cut."""

import pytest

from gateway.core.observer import Observation, observer_for
from gateway.core.usage import Usage, UsageInvalid
from tests.core.test_observer import cuts_of, watch
from tests.recordings import Row, index_rows

ENDPOINTS = {"chat": "chat.completions", "embeddings": "embeddings"}
TERMINALS = {
    "stop": "response.completed",
    "tool_calls": "response.completed",
    "chat.completion": "response.completed",  # of a host that does not say why it ended
    "length": "response.incomplete",
    "error": "response.failed",
}
pytestmark = pytest.mark.needs_recordings


def usage_in(row: Row) -> Usage | None:
    """The index's own usage, read the plain way; none where its parts exceed the whole."""
    if row.usage is None:
        return None
    given = row.usage.get("prompt_tokens_details") or {}
    made = row.usage.get("completion_tokens_details") or {}
    try:
        return Usage(
            input_tokens=row.usage["prompt_tokens"],
            output_tokens=row.usage.get("completion_tokens", 0),
            cached_tokens=given.get("cached_tokens", 0),
            cache_write_tokens=given.get("cache_write_tokens", 0),
            reasoning_tokens=made.get("reasoning_tokens", 0),
        )
    except UsageInvalid:
        return None


def observed(row: Row, chunks: list[bytes], kept_bytes_max: int) -> Observation:
    observer = observer_for(
        status=200,
        content_type="text/event-stream" if row.is_stream else "application/json",
        content_encoding="",
        endpoint=ENDPOINTS[row.api],
        event_bytes_max=kept_bytes_max,
    )
    return watch(observer, chunks)


@pytest.mark.parametrize("api", ENDPOINTS)
@pytest.mark.parametrize("small_bytes_max", [1_000, pytest.param(200_000, marks=pytest.mark.long)])
def test_every_recording_at_every_kind_of_cut(api: str, small_bytes_max: int) -> None:
    rows = index_rows(api=api)
    assert len(rows) >= 6
    for seed, row in enumerate(rows):
        terminal = TERMINALS.get(row.terminal.removeprefix("finish:"))
        if api == "embeddings":
            terminal = "response.completed"
        problem = None if row.usage else "usage_missing" if terminal else None
        if row.usage and usage_in(row) is None:
            problem = "usage_invalid"
        for chunks in cuts_of(row.read(), seed, small_bytes_max):
            for kept_bytes_max in (1 << 20, 64):
                seen = observed(row, chunks, kept_bytes_max)
                assert (seen.terminal, seen.problem) == (terminal, problem), row.file
                assert seen.usage == usage_in(row), row.file
                assert (seen.model or "", seen.service_tier or "") == (row.model, row.service_tier)
                assert (seen.response_id or "") == row.response_id, row.file
                assert not seen.is_suspect, row.file
