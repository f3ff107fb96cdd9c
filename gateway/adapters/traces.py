"""A settled exchange as spans: one, with children for its hold, its request upstream, its settling.

They are made when all is known, of moments that were noted on the way: nothing is started, carried
or ended while bytes pass. So they are built as finished spans and not by a tracer, whose ids could
not be told to the upstream beforehand. The request upstream is the span of the GenAI conventions
(`genai`), the exchange one of HTTP's. Never here: a body, a header, or what an error said in words.
"""

import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from gateway.adapters.collector import SCOPE, Address, Collector
from gateway.adapters.genai import (
    ERRORS,
    GenAiMetrics,
    Server,
    Value,
    Version,
    attributes,
    operation,
    short,
)
from gateway.core.endpoints import ENDPOINTS
from gateway.core.exchange import Exchange, Hold, Outcome
from gateway.core.headers import Headers
from gateway.core.money import to_usd
from gateway.core.trace import Trace, carried, traced

SERVER_ERROR = 500
_ENDPOINTS = {endpoint.name: endpoint for endpoint in ENDPOINTS}
_PORTS = {"http": 80, "https": 443}
_BITS = 256
_NS = 1_000_000_000
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)  # its description could be words of the upstream's


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A span before it has its trace. Moments are of the monotonic clock, in seconds."""

    name: str
    kind: SpanKind
    id: int
    parent_id: int | None
    began: float
    ended: float
    said: Mapping[str, Value]
    is_error: bool = False


class Traces:
    """Begins traces for holds that are placed, and tells of exchanges that have settled."""

    def __init__(  # noqa: PLR0913 - what is set about it, all by name
        self,
        *,
        collector: Address,
        upstream_url: str,
        service_name: str,
        version: str,
        sample_ratio: float,
        semconv: Version | None,
        metrics_seconds: float,
    ) -> None:
        upstream = urlsplit(upstream_url)
        self._server = Server(
            upstream.hostname or "", upstream.port or _PORTS.get(upstream.scheme, 0)
        )
        self._sample_ratio = sample_ratio
        self._semconv = semconv
        self._random = random.Random(os.urandom(32))  # noqa: S311 - ids are to differ, not secret
        self._resource = Resource.create(
            {
                "service.name": service_name,
                "service.version": version,
                "service.instance.id": f"{self._random.getrandbits(64):016x}",
            }
        )
        self._scope = InstrumentationScope(SCOPE, version)
        self._collector = Collector(
            collector,
            resource=self._resource,
            version=version,
            metrics_seconds=None if semconv is None else metrics_seconds,
        )
        meter = self._collector.meter
        self._metrics = (
            None
            if meter is None or semconv is None
            else GenAiMetrics(meter, version=semconv, server=self._server)
        )

    def begin(
        self, hold: Hold, headers: Headers, *, started: float, admitted: float, held: float
    ) -> Headers:
        """Note a trace in the hold; the headers for the upstream, which carry it on."""
        hold.trace = traced(
            headers,
            bits=self._random.getrandbits(_BITS),
            sample_ratio=self._sample_ratio,
            hops=(started, admitted, held),
        )
        return carried(headers, hold.trace)

    def __call__(self, exchange: Exchange) -> None:
        """Tell of a settled exchange. What another process began has no trace here."""
        if self._metrics is not None:
            self._metrics.record(exchange)
        trace = exchange.hold.trace
        if trace is not None and trace.is_sampled:
            self._send(exchange, trace, time.monotonic())

    async def aclose(self) -> None:
        """Send what still waits."""
        await self._collector.aclose()

    def _send(self, exchange: Exchange, trace: Trace, now: float) -> None:
        since_ns = time.time_ns() - int(now * _NS)  # from the monotonic clock to the calendar's
        for span in self._spans(exchange, trace, now):
            self._collector.send(self._readable(span, trace, since_ns))

    def _spans(self, exchange: Exchange, trace: Trace, now: float) -> Iterator[_Span]:
        """Children first: some collectors take a trace for whole when its root has come."""
        seen = max(trace.held, trace.started + exchange.duration_seconds)
        yield self._hop("hold", trace, trace.admitted, trace.held)
        yield _Span(
            name=self._name_upstream(exchange),
            kind=SpanKind.CLIENT,
            id=trace.upstream_span_id,
            parent_id=trace.span_id,
            began=trace.held,
            ended=seen,
            said=self._said_upstream(exchange),
            is_error=exchange.outcome in ERRORS,
        )
        yield self._hop("settle", trace, seen, now)
        endpoint = _ENDPOINTS[exchange.hold.endpoint]
        yield _Span(
            name=f"{endpoint.method} {endpoint.template}",
            kind=SpanKind.SERVER,
            id=trace.span_id,
            parent_id=trace.parent_span_id,
            began=trace.started,
            ended=now,
            said=_facts(exchange),
            is_error=_is_ours_or_theirs(exchange),
        )

    def _hop(self, name: str, trace: Trace, began: float, ended: float) -> _Span:
        return _Span(
            name=name,
            kind=SpanKind.INTERNAL,
            id=self._random.getrandbits(64) or 1,
            parent_id=trace.span_id,
            began=began,
            ended=ended,
            said={"gateway.hop": name},
        )

    def _name_upstream(self, exchange: Exchange) -> str:
        if self._semconv is None:
            return "upstream"
        return f"{operation(exchange)} {short(exchange.hold.model)}"

    def _said_upstream(self, exchange: Exchange) -> Mapping[str, Value]:
        said: dict[str, Value] = {"gateway.hop": "upstream"}
        if exchange.http_status is not None:
            said["http.response.status_code"] = exchange.http_status
        if self._semconv is not None:
            said.update(attributes(exchange, version=self._semconv, server=self._server))
        return said

    def _readable(self, span: _Span, trace: Trace, since_ns: int) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(trace, span.id),
            parent=None
            if span.parent_id is None
            else _context(trace, span.parent_id, is_remote=span.parent_id == trace.parent_span_id),
            resource=self._resource,
            attributes=span.said,
            kind=span.kind,
            status=_ERROR if span.is_error else _UNSET,
            start_time=since_ns + int(span.began * _NS),
            end_time=since_ns + int(span.ended * _NS),
            instrumentation_scope=self._scope,
        )


def _context(trace: Trace, span_id: int, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(
        trace.trace_id,
        span_id,
        is_remote,
        TraceFlags(trace.flags),
        TraceState.from_header([trace.state]) if trace.state else None,
    )


def _is_ours_or_theirs(exchange: Exchange) -> bool:
    """Whether a server failed: what is wrong with a request is no error of who answers it."""
    if exchange.outcome is Outcome.ABORTED or exchange.http_status is None:
        return True
    return exchange.http_status >= SERVER_ERROR


def _facts(exchange: Exchange) -> Mapping[str, Value]:
    """What the exchange came to, from the same allow-list as its log line."""
    hold = exchange.hold
    endpoint = _ENDPOINTS[hold.endpoint]
    said: dict[str, Value | None] = {
        "http.request.method": endpoint.method,
        "http.route": endpoint.template,
        "url.path": endpoint.template,
        "url.scheme": "http",
        "http.response.status_code": exchange.http_status,
        "gateway.request_id": hold.request_id,
        "gateway.tenant": hold.tenant,
        "gateway.key_id": hold.key_id,
        "gateway.outcome": exchange.outcome.value,
        "gateway.basis": exchange.basis.value,
        "gateway.reason": short(exchange.reason),
        "gateway.problem": short(exchange.problem),
        "gateway.client_gone": exchange.client_gone,
        "gateway.cost_usd": None if exchange.cost_pusd is None else to_usd(exchange.cost_pusd),
        "gateway.hold_usd": to_usd(hold.hold_pusd),
        "gateway.price_version": exchange.price_version,
        "gateway.upstream_request_id": short(exchange.upstream_request_id),
    }
    return {name: value for name, value in said.items() if value is not None}
