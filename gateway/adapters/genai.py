"""OpenTelemetry's names for what is said of models: attributes of spans, and metrics, by version.

"1.41" is the last version that was published with the other conventions, and what most readers
know; "latest" is what their own repository has had since, without a version yet. Never here:
content. The conventions allow messages and instructions as attributes; there is no field for them.
A metric's label is never a client's word, so models are there by their names in the price book.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from opentelemetry.metrics import Meter

from gateway.core.attribution import SESSION_TAG
from gateway.core.exchange import Exchange, Outcome
from gateway.core.usage import Usage

Version = Literal["1.41", "latest"]
Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value]

TEXT_CHARACTERS_MAX = 200
OTHER = "other"  # a model that the price book has no name for
EMBEDDINGS = "embeddings"
ERRORS = frozenset({Outcome.FAILED, Outcome.ABORTED, Outcome.CANCELLED})

_OPERATIONS = {"responses": "chat", "chat.completions": "chat"}  # others by their own names
_API_TYPES = {"responses": "responses", "chat.completions": "chat_completions"}
# The conventions' own stop at 82 seconds; a long response takes twenty minutes.
_SECONDS = [0.01 * 2**n for n in range(18)]
_TOKENS = [4**n for n in range(14)]
_COUNTERS = (
    ("input_tokens", "input_tokens"),
    ("output_tokens", "output_tokens"),
    ("cache_read.input_tokens", "cached_tokens"),
    ("cache_write.input_tokens", "cache_write_tokens"),
    ("reasoning.output_tokens", "reasoning_tokens"),
)


@dataclass(frozen=True, slots=True)
class Server:
    """The upstream, as spans and metrics name it."""

    address: str
    port: int


def operation(exchange: Exchange) -> str:
    """What was done, by the conventions' word where they have one."""
    return _OPERATIONS.get(exchange.hold.endpoint, exchange.hold.endpoint)


def attributes(exchange: Exchange, *, version: Version, server: Server) -> Attributes:
    """Of the span that stands for the request upstream."""
    hold = exchange.hold
    tier = None if hold.service_tier == "auto" else hold.service_tier
    said: dict[str, Value | None] = {
        "gen_ai.operation.name": operation(exchange),
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": short(hold.model),
        "gen_ai.request.max_tokens": hold.max_output_tokens,
        "gen_ai.request.stream": hold.is_stream or None,
        "gen_ai.conversation.id": hold.tags.get(SESSION_TAG),
        "gen_ai.response.id": short(exchange.response_id),
        "gen_ai.response.model": short(exchange.model),
        "gen_ai.response.finish_reasons": _finish_reasons(exchange),
        "gen_ai.response.time_to_first_chunk": first_chunk_seconds(exchange),
        "openai.api.type": _API_TYPES.get(hold.endpoint),
        "openai.request.service_tier": short(tier),
        "openai.response.service_tier": short(exchange.service_tier),
        "server.address": server.address,
        "server.port": server.port,
        "error.type": _error_type(exchange),
    }
    if exchange.usage is not None:
        said.update(_usage(exchange.usage, version))
    return {name: value for name, value in said.items() if value is not None}


class GenAiMetrics:
    """What the conventions count and time of each exchange."""

    def __init__(self, meter: Meter, *, version: Version, server: Server) -> None:
        self._version = version
        self._server = server
        kind = "operation" if version == "1.41" else "inference"
        self._duration = _seconds(meter, f"gen_ai.client.{kind}.duration")
        self._first_chunk = _seconds(meter, f"gen_ai.client.{kind}.time_to_first_chunk")
        if version == "1.41":
            self._other_duration = self._duration
            self._usage = _tokens(meter, "gen_ai.client.token.usage")
            return
        self._other_duration = _seconds(meter, "gen_ai.client.operation.duration")
        name = "gen_ai.client.inference"
        self._counters = [
            (meter.create_counter(f"{name}.usage.{count}", unit="{token}"), field)
            for count, field in _COUNTERS
        ]
        self._input = _tokens(meter, f"{name}.operation.input_tokens")
        self._output = _tokens(meter, f"{name}.operation.output_tokens")

    def record(self, exchange: Exchange) -> None:
        """Count a settled exchange."""
        labels = dict(self._labels(exchange))
        is_inference = exchange.hold.endpoint != EMBEDDINGS
        duration = self._duration if is_inference else self._other_duration
        if exchange.duration_seconds:  # unknown where another process had begun it
            duration.record(exchange.duration_seconds - held_seconds(exchange), labels)
        first_chunk = first_chunk_seconds(exchange)
        if first_chunk is not None:
            self._first_chunk.record(first_chunk, labels)
        if exchange.usage is None:
            return
        if self._version == "1.41":
            self._record_usage(exchange.usage, labels)
        elif is_inference:  # the latest conventions have no metric for another operation's tokens
            self._count_usage(exchange, exchange.usage, labels)

    def _record_usage(self, usage: Usage, labels: dict[str, Any]) -> None:
        self._usage.record(usage.input_tokens, {**labels, "gen_ai.token.type": "input"})
        self._usage.record(usage.output_tokens, {**labels, "gen_ai.token.type": "output"})

    def _count_usage(self, exchange: Exchange, usage: Usage, labels: dict[str, Any]) -> None:
        counted = {**labels, "gen_ai.token.modality": "unknown"}
        for counter, field in self._counters:
            counter.add(getattr(usage, field), counted)
        if exchange.outcome not in ERRORS:
            self._input.record(usage.input_tokens, labels)
            self._output.record(usage.output_tokens, labels)

    def _labels(self, exchange: Exchange) -> Iterator[tuple[str, str | int]]:
        asked = exchange.hold.price
        yield "gen_ai.operation.name", operation(exchange)
        yield "gen_ai.provider.name", "openai"
        yield "gen_ai.request.model", OTHER if asked is None else asked.name
        yield "gen_ai.response.model", exchange.priced_model or OTHER
        yield "server.address", self._server.address
        yield "server.port", self._server.port
        if exchange.outcome in ERRORS:
            yield "error.type", exchange.outcome.value


def first_chunk_seconds(exchange: Exchange) -> float | None:
    """From the request to the first chunk of a stream; None for what is no stream."""
    if exchange.first_byte_seconds is None or not exchange.hold.is_stream:
        return None
    return max(0.0, exchange.first_byte_seconds - held_seconds(exchange))


def held_seconds(exchange: Exchange) -> float:
    """From a request's arrival until it could be sent."""
    trace = exchange.hold.trace
    return 0.0 if trace is None else trace.held - trace.started


def short(text: str | None) -> str | None:
    """A client's or an upstream's word, cut so that it cannot flood."""
    return None if text is None else text[:TEXT_CHARACTERS_MAX]


def _finish_reasons(exchange: Exchange) -> tuple[str, ...] | None:
    """Responses say a status where chat completions say a reason."""
    if exchange.outcome is Outcome.INCOMPLETE:
        return (short(exchange.reason) or exchange.outcome.value,)
    return (exchange.outcome.value,) if exchange.outcome is Outcome.COMPLETED else None


def _error_type(exchange: Exchange) -> str | None:
    if exchange.outcome not in ERRORS:
        return None
    return short(exchange.reason) or exchange.outcome.value


def _usage(usage: Usage, version: Version) -> dict[str, Value | None]:
    written = "cache_creation" if version == "1.41" else "cache_write"
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        f"gen_ai.usage.{written}.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _seconds(meter: Meter, name: str) -> Any:
    return meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=_SECONDS)


def _tokens(meter: Meter, name: str) -> Any:
    return meter.create_histogram(name, unit="{token}", explicit_bucket_boundaries_advisory=_TOKENS)
