"""The life of an exchange, from its hold to its settlement: one state machine without I/O.

A relay tells it what happened (answered, chunk, ended, …) and does what it answers: forward these
bytes, keep the rest, settle now. Streams, whole bodies, clients that left and upstreams that broke
differ in what is told, not in which code runs.

    held ──answered──▶ relaying ──▶ due ──settle, release──▶ settled
      └────unanswered────────────────┘

*Commit before complete*: the bytes that complete a response stay here until its settlement is
durable. In a stream that is all from the start of the terminal event's last piece on; in a whole
body its last chunk, which is known by content-length or by the end.
"""

from gateway.core import headers as wire
from gateway.core.compaction import COMPACT
from gateway.core.errors import UpstreamUnavailable
from gateway.core.exchange import USAGE_TAG, Basis, Exchange, Hold, Outcome
from gateway.core.observation import Observation, kept_word
from gateway.core.observer import ChatStreamObserver, Observer, OpaqueObserver, observer_for
from gateway.core.price_book import PriceBook
from gateway.core.progress import Progress, SoFar, deltas
from gateway.core.settlement import (
    SUCCESSES,
    Settlement,
    nothing_used,
    settlement,
    worst_case,
)
from gateway.core.spared import Spared
from gateway.core.sse import EVENT_BYTES_MAX
from gateway.core.tool_use import NO_TOOLS

# The transport knows one limit for all of an answer; what had passed tells what was waited for.
IDLE = "upstream_idle_timeout"  # between two events, or two pieces of a whole body
NO_FIRST_EVENT = "upstream_no_first_event"  # nothing behind the head
SILENT_AFTER_START = "upstream_silent_after_start"  # nothing behind `response.in_progress`


class Life:
    """One exchange on its way. Times are seconds of a clock that only goes forward."""

    def __init__(
        self,
        *,
        hold: Hold,
        book: PriceBook,
        started: float,
        event_bytes_max: int = EVENT_BYTES_MAX,
        progress: Progress | None = None,
    ) -> None:
        self.hold = hold
        self._progress = progress
        self.is_due = False  # all that will be known is known: settle, then release
        self._book = book
        self._started = started
        self._event_bytes_max = event_bytes_max
        self._observer: Observer | None = None
        self._spared: Spared | None = None  # where the usage is for us alone
        self._lags = False  # a whole body: its last chunk waits for the settlement
        self._left_bytes: int | None = None  # of a body with content-length
        self._kept = b""
        self._is_sent = False
        self._is_settled = False
        self._is_released = False
        self._is_opened = False
        self._broken: UpstreamUnavailable | None = None
        self._reason: str | None = None
        self._status: int | None = None
        self._upstream_request_id: str | None = None
        self._first_byte: float | None = None
        self._first_output: float | None = None
        self._client_gone = False

    def sent(self) -> None:
        """From now on the upstream may have read the request, and may bill it."""
        self._is_sent = True

    def turned_away(self) -> None:
        """The upstream said that it did not begin: what is sent next is another attempt."""
        self._is_sent = False

    def answered(self, *, status: int, headers: wire.Headers, now: float) -> None:
        """The upstream's head is there; header names in lower case."""
        self._status = status
        self._first_byte = now
        self._upstream_request_id = wire.first(headers, b"x-request-id") or None
        content_type = wire.first(headers, b"content-type")
        self._observer = observer_for(
            status=status,
            content_type=content_type,
            content_encoding=wire.first(headers, b"content-encoding"),
            endpoint=self.hold.endpoint,
            event_bytes_max=self._event_bytes_max,
            progress=self._progress,
        )
        if USAGE_TAG in self.hold.tags and isinstance(self._observer, ChatStreamObserver):
            self._spared = Spared(self._observer)
        # Where no terminal event can be seen, the last bytes are what completes the response.
        is_opaque = isinstance(self._observer, OpaqueObserver)
        self._lags = is_opaque or not is_event_stream(content_type)
        self._left_bytes = wire.content_length(headers)

    def chunk(self, data: bytes, now: float) -> bytes:
        """Bytes from the upstream: returns those that may leave now and keeps the others."""
        if self._is_released or self._observer is None:
            return data
        if self.is_due or self._is_settled:
            self._kept += data
            return b""
        if self._spared is None:
            cut = self._observer.feed(data)
        else:
            data, cut = self._spared.feed(data)
        if self._first_output is None and self._observer.has_output:
            self._first_output = now
        if self._lags:
            return self._lag(data, self._observer)
        if cut is None:
            return data
        self.is_due = True
        self._kept = data[cut:]
        return data[:cut]

    def ended(
        self, *, broken: UpstreamUnavailable | None = None, reason: str | None = None
    ) -> None:
        """No more bytes: the body's clean end, or `broken` off, or given up by us for `reason`."""
        if self._spared is not None:
            self._kept += self._spared.end()
        if self._observer is not None:
            self._observer.end(is_clean=broken is None and reason is None)
        self._broken = broken
        self._reason = reason
        self.is_due = not self._is_settled

    @property
    def observation(self) -> Observation | None:
        """What was seen so far; None where there was no answer."""
        return None if self._observer is None else self._observer.observation

    def so_far(self, now: float) -> SoFar:
        """Where it is, for who watches."""
        progress = self._progress or Progress()
        observer = self._observer
        counts = observer.observation.event_counts if observer else {}
        tokens = deltas(counts) if counts or observer is None else observer.events
        return SoFar(
            phase=self._doing(progress),
            age_seconds=now - self._started,
            first_byte_seconds=self._since_start(self._first_byte),
            items_ended=progress.items_ended,
            output_tokens=tokens,
            cost_pusd=self._output_pusd(tokens),
            client_gone=self._client_gone,
        )

    def client_left(self) -> None:
        """The client hung up. The upstream bills all the same, so its answer is read to the end."""
        self._client_gone = True

    def opened(self) -> str | None:
        """The response id, once, when it has become known."""
        if self._is_opened or self._observer is None or self._observer.response_id is None:
            return None
        self._is_opened = True
        return kept_word(self._observer.response_id)

    def settle(self, *, settled_at_us: int, now: float) -> Exchange:
        """The exchange as it will be recorded. Call once, when due."""
        self._is_settled = True
        self.is_due = False
        observation = self._observer.observation if self._observer else None
        verdict = self._verdict(observation)
        return Exchange(
            hold=self.hold,
            settled_at_us=settled_at_us,
            outcome=verdict.outcome,
            basis=verdict.basis,
            cost_pusd=verdict.cost_pusd,
            price=verdict.price,
            lines=verdict.lines,
            problem=verdict.problem,
            usage=observation.usage if observation else None,
            tools=observation.tools if observation else NO_TOOLS,
            response_id=kept_word(observation.response_id) if observation else None,
            model=kept_word(observation.model) if observation else None,
            service_tier=kept_word(observation.service_tier) if observation else None,
            upstream_request_id=kept_word(self._upstream_request_id),
            http_status=self._status,
            reason=kept_word(self._why(observation)),
            client_gone=self._client_gone,
            recoverable=verdict.basis is Basis.WORST_CASE
            and self.hold.is_stored
            and observation is not None
            and observation.response_id is not None,
            duration_seconds=now - self._started,
            first_byte_seconds=self._since_start(self._first_byte),
            first_output_seconds=self._since_start(self._first_output),
            events=self._observer.events if self._observer else 0,
            item_ids=self._made(observation) if observation else (),
            container_ids=observation.container_ids if observation else (),
        )

    def release(self) -> bytes:
        """The settlement is durable: the bytes that waited for it. Later chunks pass at once."""
        self._is_released = True
        kept, self._kept = self._kept, b""
        return kept

    def _lag(self, data: bytes, observer: Observer) -> bytes:
        if self._left_bytes is None:
            if data:  # an empty piece is no chunk: what it would let go may be the last one
                data, self._kept = self._kept, data
            return data
        self._left_bytes -= len(data)
        if self._left_bytes > 0:
            return data
        self._kept += data
        observer.end(is_clean=True)
        self.is_due = True
        return b""

    def _verdict(self, observation: Observation | None) -> Settlement:
        if observation is None or self._status is None:
            is_sent = self._is_sent if self._broken is None else self._broken.is_sent
            if not is_sent:
                return nothing_used()
            return worst_case(self.hold, Outcome.ABORTED, None)
        return settlement(self.hold, observation, status=self._status, book=self._book)

    def _why(self, observation: Observation | None) -> str | None:
        if observation is not None and observation.reason is not None:
            return observation.reason
        if self._broken is not None:
            return self._phase() if self._broken.code == IDLE else self._broken.code
        if self._status is not None and self._status not in SUCCESSES:
            return f"http_{self._status}"
        return self._reason

    def _phase(self) -> str:
        """In which part of a stream the upstream fell silent."""
        if self._observer is None or self._lags or self._observer.has_output:
            return IDLE
        return SILENT_AFTER_START if self._observer.events else NO_FIRST_EVENT

    def _doing(self, progress: Progress) -> str:
        if self._is_settled or self.is_due:
            return "settling"
        if self._observer is None:
            return "waiting"
        if progress.newest is not None:
            return progress.newest.type
        return "output" if self._observer.has_output else "started"

    def _output_pusd(self, tokens: int) -> int | None:
        price = self.hold.price
        rates = price and price.rates(service_tier=self.hold.service_tier, input_tokens=0)
        return None if not rates or rates.output is None else tokens * rates.output

    def _made(self, observation: Observation) -> tuple[str, ...]:
        """Items that are new. A compaction keeps some of those that it was given."""
        return () if self.hold.endpoint == COMPACT else observation.item_ids

    def _since_start(self, then: float | None) -> float | None:
        return None if then is None else then - self._started


def is_event_stream(content_type: str) -> bool:
    """Whether a body is a stream of server-sent events, whatever its parameters say."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"
