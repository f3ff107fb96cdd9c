"""What waits is sent at the end, headers are asked for each time, and an end has its time."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from gateway.adapters import collector as device
from gateway.adapters.collector import Address, Collector
from tests.fakes import collector as fake


def made(url: str, headers: str = "") -> Collector:
    address = Address(url=url, headers=lambda: headers)
    return Collector(address, resource=Resource({}), version="1", metrics_seconds=60)


def span() -> ReadableSpan:
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan("one", context, resource=Resource({}), start_time=1, end_time=2)


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_what_waits_is_sent_at_the_end() -> None:
    with fake.collecting() as receiver:
        collector = made(receiver.url, "api-key=one%20two")
        assert collector.meter is not None
        collector.meter.create_counter("counted").add(1)
        for _ in range(3):
            collector.send(span())
        await collector.aclose()
    assert [one.name for one in receiver.spans] == ["one"] * 3
    assert [one.name for one in receiver.metrics] == ["counted"]
    assert {one["api-key"] for one in receiver.headers} == {"one two"}


async def test_an_end_does_not_wait_for_who_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "END_SECONDS_MAX", 0.2)
    with silent() as url:
        collector = made(url)
        collector.send(span())
        async with asyncio.timeout(device.SEND_SECONDS_MAX / 2):
            await collector.aclose()
