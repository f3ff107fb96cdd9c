"""Whatever the upstream can say, of every kind of event: its bytes pass and its cost is told.

Exact where every tool has a price; unknown, and never zero, where one has none.
"""

import json

import pytest

from gateway.adapters.reports import EntryRow
from gateway.core.facts import facts_from, skim
from gateway.core.usage import usage_from
from gateway.simulator.faults import NO_FAULTS
from gateway.simulator.framing import json_bytes, stream_segments
from gateway.simulator.plan import KINDS
from gateway.simulator.script import Scene, final_response, tell
from tests.journeys.bill import BOOK, assert_exact
from tests.journeys.cuts import all_of, random_pieces, replayed
from tests.journeys.stage import Stage, body
from tests.simulator.scenes import scene

UNPRICED = {"code_interpreter", "shell", "tool_search"}
UNUSED = {"failed", "error"}
MODEL = "gpt-5-mini"


def played(kind: str) -> Scene:
    return scene(f"kind={kind}; calls=2", model=MODEL, reasoning={"summary": "auto"})


def true_cost_pusd(shown: Scene, entry: EntryRow) -> int | None:
    price = BOOK.find(MODEL, entry.created_at_us)
    usage = usage_from(shown.usage)
    assert price is not None
    assert usage is not None
    found = skim(json_bytes(final_response(shown)), is_event=False)
    assert found is not None
    tools = facts_from(found, is_event=False).tools
    price = BOOK.with_images(price, entry.created_at_us)
    return price.cost(usage=usage, tools=tools, service_tier=shown.answered_tier).cost_pusd


def assert_told(kind: str, shown: Scene, entry: EntryRow) -> None:
    outcome = "incomplete" if kind == "incomplete" else "failed" if kind in UNUSED else "completed"
    basis = "none" if kind in UNUSED else "reported"
    assert (entry.outcome, entry.basis) == (outcome, basis), kind
    if kind in UNUSED:
        assert entry.cost_pusd == 0
        return
    assert entry.problem == ("meter_unpriced" if kind in UNPRICED else None), kind
    cost_pusd = true_cost_pusd(shown, entry)
    assert entry.cost_pusd == cost_pusd, kind
    assert (cost_pusd is None) == (kind in UNPRICED), kind


async def entry_of(on: Stage, kind: str, *, is_stream: bool) -> None:
    shown = played(kind)
    streamed = b"".join(one.data for one in stream_segments(tell(shown), NO_FAULTS))
    data = streamed if is_stream else json_bytes(final_response(shown), indent=2)
    request_id = await replayed(
        on,
        data,
        name=f"{kind}-{is_stream}",
        pieces=random_pieces(data, len(kind)),
        content_type="text/event-stream" if is_stream else "application/json",
    )
    (entry,) = (one for one in on.entries() if one.request_id == request_id)
    assert_told(kind, shown, entry)


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
async def test_every_kind_passes_and_is_priced_or_known_to_be_unknown(
    shared_stage: Stage, *, is_stream: bool
) -> None:
    await all_of(sorted(KINDS), lambda kind: entry_of(shared_stage, kind, is_stream=is_stream))


async def test_a_file_search_has_a_line_of_its_own(shared_stage: Stage) -> None:
    before = len(shared_stage.entries())
    answer = await shared_stage.post(body("[sim: kind=file_search; calls=3]"))
    assert answer.status_code == 200
    (entry,) = (await shared_stage.settled(before + 1))[before:]
    (line,) = (line for line in entry.lines if line.meter == "file_search")
    assert line.quantity == 3
    assert entry.cost_pusd == sum(one.cost_pusd for one in entry.lines)


async def test_trailers_and_a_slow_head_change_nothing(shared_stage: Stage) -> None:
    for directive in ("trailers", "trailers; chunked", "slow_head=1"):
        before = len(shared_stage.entries())
        asked = body(f"[sim: {directive}]", stream="chunked" not in directive)
        answer = await shared_stage.post(asked)
        assert answer.status_code == 200
        assert "x-simulated-digest" not in answer.headers
        (entry,) = (await shared_stage.settled(before + 1))[before:]
        assert_exact(entry, shared_stage.simulator.served[-1])


@pytest.mark.parametrize("place", ["unanswered", "head"])
async def test_an_upstream_that_hangs_up_early_is_a_502(shared_stage: Stage, place: str) -> None:
    before = len(shared_stage.entries())
    answer = await shared_stage.post(body(f"[sim: hang_up={place}]"))
    assert answer.status_code == 502
    (entry,) = (await shared_stage.settled(before + 1))[before:]
    assert (entry.basis, entry.cost_pusd) == ("worst_case", entry.hold_pusd)


async def test_what_says_when_to_come_back_reaches_the_client(shared_stage: Stage) -> None:
    asked = body("[sim: status=429; retry_after=7; should_retry=false]")
    answer = await shared_stage.post(asked)
    assert json.loads(answer.content)["error"]["code"] == "rate_limit_exceeded"
    told = [answer.headers[name] for name in ("retry-after", "retry-after-ms", "x-should-retry")]
    assert told == ["7", "7000", "false"]
