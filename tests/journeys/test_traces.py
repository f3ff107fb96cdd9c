"""What a collector is told of a request: spans and metrics by the conventions, and no content."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.adapters import collector as device
from gateway.adapters.reports import EntryRow
from gateway.adapters.traces import Traces
from gateway.core.money import to_usd
from tests.fakes.collector import Collector, attributes, collecting
from tests.journeys.caller import whole_answer
from tests.journeys.stage import Stage, body, stage

SECRET = "wherefore-art-thou"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
STATE = "vendor=opaque"


def told(collector: Collector) -> dict[str, Span]:
    """The spans of one trace, by their hops; the exchange's own is the root."""
    assert len({span.trace_id for span in collector.spans}) == 1
    assert len(collector.spans) == 4
    return {attributes(span).get("gateway.hop", "exchange"): span for span in collector.spans}


def texts(stream: bytearray) -> list[bytes]:
    """What the model wrote, from the terminal event."""
    ended = json.loads(bytes(stream).rpartition(b"\ndata: ")[2])
    written = [
        part["text"].encode()
        for item in ended["response"]["output"]
        for part in item.get("content", ())
    ]
    assert written
    return written


def conventional(entry: EntryRow) -> dict[str, Any]:
    """What the request upstream says of itself by the conventions, and no more."""
    return {
        "gateway.hop": "upstream",
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": "sess-1",
        "gen_ai.response.id": entry.response_id,
        "gen_ai.response.model": entry.served_model,
        "gen_ai.response.finish_reasons": ["completed"],
        "gen_ai.usage.input_tokens": entry.input_tokens,
        "gen_ai.usage.output_tokens": entry.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": entry.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": entry.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": entry.reasoning_tokens,
        "openai.api.type": "responses",
        "openai.response.service_tier": entry.service_tier,
        "server.address": "127.0.0.1",
    }


@asynccontextmanager
async def traced(folder: Path, collector: Collector, **telemetry: Any) -> AsyncIterator[Stage]:
    chosen = {"otlp_endpoint": collector.url, **telemetry}
    async with stage(folder, telemetry=chosen) as on:
        yield on


async def test_a_streamed_request_is_one_trace_by_the_conventions(tmp_path: Path) -> None:
    asked = body(f"{SECRET} in", instructions=SECRET, metadata={"note": SECRET})
    with collecting() as collector:
        async with traced(
            tmp_path, collector, otlp_headers="api-key=for-the-collector,x-team=a"
        ) as on:
            answer = await whole_answer(on.port, on.key, asked, "session-id: sess-1")
            assert answer.ending == "whole"
            (entry,) = await on.settled(1)
    spans = told(collector)
    exchange, upstream = spans["exchange"], spans["upstream"]
    assert exchange.name == "POST /v1/responses"
    assert exchange.kind == Span.SPAN_KIND_SERVER
    assert exchange.parent_span_id == b""
    assert exchange.status.code == Status.STATUS_CODE_UNSET
    children = (spans["hold"], upstream, spans["settle"])
    assert {child.parent_span_id for child in children} == {exchange.span_id}
    assert upstream.name == "chat gpt-5-mini"
    assert upstream.kind == Span.SPAN_KIND_CLIENT
    said = attributes(upstream)
    assert said.pop("gen_ai.response.time_to_first_chunk") >= 0
    assert said.pop("server.port") == urlsplit(on.simulator.url).port
    assert said == conventional(entry)
    facts = attributes(exchange)
    assert entry.cost_pusd is not None
    assert facts["gateway.cost_usd"] == to_usd(entry.cost_pusd)
    assert facts["gateway.request_id"] == entry.request_id
    assert facts["http.route"] == "/v1/responses"
    assert {"api-key": "for-the-collector", "x-team": "a"}.items() <= collector.headers[0].items()
    sent = b"".join(collector.bodies)
    assert SECRET.encode() not in sent
    assert not [text for text in texts(answer.body) if text in sent]


async def test_hops_follow_each_other_within_the_exchange(tmp_path: Path) -> None:
    with collecting() as collector:
        async with traced(tmp_path, collector) as on:
            await whole_answer(on.port, on.key, body())
    spans = told(collector)
    hold, upstream, settle = (spans[hop] for hop in ("hold", "upstream", "settle"))
    exchange = spans["exchange"]
    moments = [
        exchange.start_time_unix_nano,
        hold.start_time_unix_nano,
        hold.end_time_unix_nano,
        upstream.end_time_unix_nano,
        settle.end_time_unix_nano,
    ]
    assert moments == sorted(moments)
    assert hold.end_time_unix_nano == upstream.start_time_unix_nano
    assert upstream.end_time_unix_nano == settle.start_time_unix_nano
    assert settle.end_time_unix_nano == exchange.end_time_unix_nano


async def test_a_trace_goes_on_from_the_client_s_to_the_upstream(tmp_path: Path) -> None:
    with collecting() as collector:
        async with traced(tmp_path, collector) as on:
            head = (f"traceparent: 00-{TRACE}-{CALLER}-01", f"tracestate: {STATE}")
            await whole_answer(on.port, on.key, body(), *head)
            (received,) = on.simulator.requests
    spans = told(collector)
    assert spans["exchange"].trace_id.hex() == TRACE
    assert spans["exchange"].parent_span_id.hex() == CALLER
    assert spans["exchange"].trace_state == STATE
    parent = spans["upstream"].span_id.hex()
    crossed = [(name.lower(), value) for name, value in received.headers if "trace" in name.lower()]
    assert sorted(crossed) == [
        ("traceparent", f"00-{TRACE}-{parent}-01"),
        ("tracestate", STATE),
    ]


@pytest.mark.parametrize(("flags", "ratio"), [("00", 1), (None, 0)])
async def test_what_is_not_sampled_is_not_told(
    tmp_path: Path, flags: str | None, ratio: float
) -> None:
    head = () if flags is None else (f"traceparent: 00-{TRACE}-{CALLER}-{flags}",)
    with collecting() as collector:
        async with traced(tmp_path, collector, sample_ratio=ratio) as on:
            await whole_answer(on.port, on.key, body(), *head)
    assert collector.spans == []
    assert "gen_ai.client.operation.duration" in {one.name for one in collector.metrics}


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (
            "1.41",
            {
                "gen_ai.client.operation.duration",
                "gen_ai.client.operation.time_to_first_chunk",
                "gen_ai.client.token.usage",
            },
        ),
        (
            "latest",
            {
                "gen_ai.client.inference.duration",
                "gen_ai.client.inference.time_to_first_chunk",
                "gen_ai.client.inference.usage.input_tokens",
                "gen_ai.client.inference.usage.output_tokens",
                "gen_ai.client.inference.usage.cache_read.input_tokens",
                "gen_ai.client.inference.usage.cache_write.input_tokens",
                "gen_ai.client.inference.usage.reasoning.output_tokens",
                "gen_ai.client.inference.operation.input_tokens",
                "gen_ai.client.inference.operation.output_tokens",
            },
        ),
        ("off", set()),
    ],
)
async def test_the_conventions_version_is_chosen(
    tmp_path: Path, version: str, names: set[str]
) -> None:
    with collecting() as collector:
        async with traced(tmp_path, collector, genai_semconv=version) as on:
            await whole_answer(on.port, on.key, body())
    assert {one.name for one in collector.metrics} == names
    written = {"1.41": "cache_creation", "latest": "cache_write", "off": None}[version]
    said = attributes(told(collector)["upstream"])
    found = {name.split(".")[2] for name in said if name.startswith("gen_ai.usage.cache")}
    assert found == ({"cache_read", written} if written else set())


@pytest.mark.parametrize("how", ["away", "refusing", "silent"])
async def test_requests_go_on_while_the_collector_is_down(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "END_SECONDS_MAX", 0.2)
    with collecting() as collector, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if how == "silent":
            listener.listen()
        if how == "refusing":
            collector.status = 503
            url = collector.url
        else:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with stage(tmp_path, telemetry={"otlp_endpoint": url}) as on:
            for _ in range(3):
                assert (await whole_answer(on.port, on.key, body())).ending == "whole"
            assert [one.outcome for one in await on.settled(3)] == ["completed"] * 3


async def test_a_reader_that_raises_harms_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: object) -> None:
        raise RuntimeError("as broken as can be")

    monkeypatch.setattr(Traces, "_send", raises)
    with collecting() as collector:
        async with traced(tmp_path, collector) as on:
            assert (await whole_answer(on.port, on.key, body())).ending == "whole"
            assert (await on.settled(1))[0].outcome == "completed"
    assert collector.spans == []


def test_nothing_of_it_is_loaded_unless_it_is_set() -> None:
    # FastAPI loads the bare interface by itself, where it is installed.
    ours = "{'opentelemetry.sdk', 'requests', 'gateway.adapters.traces'}"
    program = f"import sys, gateway.app.factory; sys.exit(bool({ours} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
