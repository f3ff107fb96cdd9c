"""The collector as a device: spans and metrics by OTLP over HTTP, sent in the background.

What cannot be delivered is dropped, with a line in the log, and costs a request no more than its
place in a bounded queue. Not here: what is sent (`traces`, `genai`).
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.util.re import parse_env_headers
from requests.auth import AuthBase

SEND_SECONDS_MAX = 10.0
END_SECONDS_MAX = 3.0  # for what still waits at the end
QUEUE_SPANS_MAX = 4096
PAUSE_SECONDS = 1.0  # between two batches of spans
SCOPE = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the collector is, and what it is shown."""

    url: str
    headers: Callable[[], str]  # as NAME=VALUE,…


class Collector:
    """One connection for spans and, where they are wanted, one for metrics."""

    def __init__(
        self, address: Address, *, resource: Resource, version: str, metrics_seconds: float | None
    ) -> None:
        self._exporter: SpanExporter = OTLPSpanExporter(
            endpoint=f"{address.url}/v1/traces",
            timeout=SEND_SECONDS_MAX,
            session=_session(address.headers),
        )
        self._spans: SpanProcessor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=QUEUE_SPANS_MAX,
            schedule_delay_millis=PAUSE_SECONDS * 1000,
        )
        self._metrics: MeterProvider | None = None
        self.meter: Meter | None = None
        if metrics_seconds is not None:
            exporter = OTLPMetricExporter(
                endpoint=f"{address.url}/v1/metrics",
                timeout=SEND_SECONDS_MAX,
                session=_session(address.headers),
            )
            reader = PeriodicExportingMetricReader(
                exporter, export_interval_millis=metrics_seconds * 1000
            )
            self._metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
            self.meter = self._metrics.get_meter(SCOPE, version)

    def send(self, span: ReadableSpan) -> None:
        """Put a span that has ended into the queue."""
        self._spans.on_end(span)

    async def aclose(self) -> None:
        """Send what still waits, in a bounded time: a collector that is away holds up no end."""
        ending = threading.Thread(target=self._end, name="collector-end", daemon=True)
        ending.start()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, ending.join, END_SECONDS_MAX)
        if ending.is_alive():
            self._exporter.shutdown()  # ends its pause before the next attempt

    def _end(self) -> None:
        if self._metrics is not None:
            self._metrics.shutdown(timeout_millis=END_SECONDS_MAX * 500)
        self._spans.shutdown()


class _Headers(AuthBase):
    """Headers that may change while the gateway runs: they are asked for at each request."""

    def __init__(self, headers: Callable[[], str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(parse_env_headers(self._headers(), liberal=True))
        return request


def _session(headers: Callable[[], str]) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no credential of the environment's
    session.auth = _Headers(headers)
    return session
