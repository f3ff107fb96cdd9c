"""What tools did is priced as the response itself tells it, over sockets and into the ledger."""

import json
from typing import Any

import pytest

from tests.journeys.cuts import replayed
from tests.journeys.stage import Stage

SEARCHED = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}
RAN = {"type": "code_interpreter_call", "status": "completed", "container_id": "cntr_1"}
DRAWN = {
    "input_tokens": 1600,
    "input_tokens_details": {"image_tokens": 1400, "text_tokens": 200},
    "cached_tokens": 1024,
    "cached_tokens_details": {"cached_image_tokens": 1024, "cached_text_tokens": 0},
    "output_tokens": 1056,
    "output_tokens_details": {"image_tokens": 1056, "text_tokens": 0},
    "total_tokens": 2656,
}
# A model, what its response says besides its tokens, and what the tools cost in USD.
CASES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "an older search on a model that does not reason": (
        "gpt-4.1", {"output": [SEARCHED], "tools": [{"type": "web_search_preview"}]}, "0.025",
    ),
    "a search on the same": (
        "gpt-4.1", {"output": [SEARCHED], "tools": [{"type": "web_search"}]}, "0.010",
    ),
    "searches that are billed": (
        "gpt-5.4",
        {"output": [SEARCHED], "tool_usage": {"web_search": {"num_requests": 3}}},
        "0.030",
    ),
    "a container of 4 GB, twice": (
        "gpt-5.4",
        {
            "output": [RAN, RAN],
            "tools": [{"type": "code_interpreter", "container": {"memory_limit": "4g"}}],
        },
        "0.030",
    ),
    "a container that was there before": (
        "gpt-5.4",
        {"output": [RAN], "tools": [{"type": "code_interpreter", "container": "cntr_1"}]},
        None,
    ),
    "a shell of the client's": (
        "gpt-5.4",
        {"output": [{"type": "shell_call", "environment": {"type": "local"}}], "tools": []},
        "0",
    ),
    "an image from another": (
        "gpt-5.4",
        {
            "output": [{"type": "image_generation_call", "status": "completed"}],
            "tools": [{"type": "image_generation", "model": "gpt-image-2"}],
            "tool_usage": {"image_gen": DRAWN},
        },
        "0.037736",
    ),
    "no tool, on a model tuned for one": ("ft:gpt-4.1-2025-04-14:acme::abc", {}, "0"),
}  # fmt: skip
TOKENS_USD = {
    "gpt-4.1": 0.0038, "gpt-5.4": 0.004, "ft:gpt-4.1-2025-04-14:acme::abc": 0.0042,
}  # fmt: skip


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_tools_did_is_priced_as_the_response_tells_it(
    shared_stage: Stage, is_stream: bool
) -> None:
    for name, (model, more, fees_usd) in CASES.items():
        read, written = (1000, 100) if model != "gpt-4.1" else (1100, 200)
        response = {
            "id": f"resp_{len(name)}_{is_stream}",
            "object": "response",
            "status": "completed",
            "model": model,
            "service_tier": "default",
            "usage": {"input_tokens": read, "output_tokens": written},
            **more,
        }
        event = {"type": "response.completed", "response": response}
        request_id = await replayed(
            shared_stage,
            f"event: response.completed\ndata: {json.dumps(event)}\n\n".encode()
            if is_stream
            else json.dumps(response).encode(),
            name=f"{name}.{is_stream}",
            content_type="text/event-stream" if is_stream else "application/json",
        )
        entry = next(one for one in shared_stage.entries() if one.request_id == request_id)
        if fees_usd is None:
            assert (entry.cost_pusd, entry.problem) == (None, "meter_unpriced"), name
            continue
        owed = round(TOKENS_USD[model] * 10**12) + round(float(fees_usd) * 10**12)
        assert (entry.cost_pusd, entry.problem) == (owed, None), name
