"""How an exchange's end shows in its spans; whole traces are in `journeys/test_traces.py`."""

import time
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.adapters.collector import Address
from gateway.adapters.traces import Traces
from gateway.core.exchange import Exchange, Outcome, void
from tests.builders import exchange, hold
from tests.fakes.collector import attributes, collecting


async def told(one: Exchange, **chosen: Any) -> dict[str, Span]:
    """The spans of an exchange that began a moment ago, by their names."""
    with collecting() as collector:
        given = {
            "upstream_url": "https://api.openai.com/v1",
            "service_name": "gateway",
            "version": "1",
            "sample_ratio": 1,
            "semconv": None,
            "metrics_seconds": 60,
            **chosen,
        }
        traces = Traces(collector=Address(url=collector.url, headers=str), **given)
        now = time.monotonic()
        traces.begin(one.hold, [], started=now - 2, admitted=now - 1.9, held=now - 1.8)
        traces(one)
        await traces.aclose()
    return {span.name: span for span in collector.spans}


@pytest.mark.parametrize(
    ("fields", "is_theirs", "is_ours"),
    [
        ({}, False, False),
        ({"outcome": Outcome.INCOMPLETE, "reason": "max_output_tokens"}, False, False),
        ({"outcome": Outcome.FAILED, "http_status": 400}, True, False),
        ({"outcome": Outcome.FAILED, "http_status": 500}, True, True),
        ({"outcome": Outcome.ABORTED}, True, True),
    ],
)
async def test_errors(fields: dict[str, Any], is_theirs: bool, is_ours: bool) -> None:
    spans = await told(exchange(hold=hold(endpoint="responses"), **fields))
    is_error = {name: span.status.code == Status.STATUS_CODE_ERROR for name, span in spans.items()}
    assert is_error == {
        "hold": False,
        "upstream": is_theirs,
        "settle": False,
        "POST /v1/responses": is_ours,
    }
    assert all(not span.status.message for span in spans.values())


async def test_what_was_not_sent_is_told_too() -> None:
    spans = await told(void(hold(endpoint="embeddings"), 1, reason="upstream_unavailable"))
    root = spans["POST /v1/embeddings"]
    assert attributes(root)["gateway.reason"] == "upstream_unavailable"
    assert spans["upstream"].start_time_unix_nano == spans["upstream"].end_time_unix_nano


async def test_the_upstream_s_port_is_its_scheme_s() -> None:
    one = exchange(hold=hold(endpoint="responses"))
    said = attributes((await told(one, semconv="latest"))["chat gpt-test"])
    assert (said["server.address"], said["server.port"]) == ("api.openai.com", 443)


async def test_what_another_process_began_has_no_spans() -> None:
    with collecting() as collector:
        traces = Traces(
            collector=Address(url=collector.url, headers=str),
            upstream_url="http://127.0.0.1:1/v1",
            service_name="gateway",
            version="1",
            sample_ratio=1,
            semconv="1.41",
            metrics_seconds=60,
        )
        traces(exchange(hold=hold(endpoint="responses")))
        await traces.aclose()
    assert collector.spans == []
    assert "gen_ai.client.token.usage" in {one.name for one in collector.metrics}
