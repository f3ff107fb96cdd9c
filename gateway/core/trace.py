"""Where an exchange stands in a distributed trace: W3C trace context, read and carried on.

What a client sent is expected to be well formed: `headers` has let nothing else pass. Not here:
spans, which `adapters.traces` makes when the exchange has settled.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_TRACEPARENT = b"traceparent"
_TRACESTATE = b"tracestate"
_SAMPLED = 0x01
_FLAGS = 0x03  # sampled, and: the id is random; whoever passes others on must know them
_RANDOM = 0x02
_HALF_BITS = 64
_HALF = (1 << _HALF_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The ids of an exchange's spans, and its hops so far as moments of the monotonic clock."""

    trace_id: int
    span_id: int  # of the exchange
    upstream_span_id: int  # of its request upstream, as the upstream is told
    parent_span_id: int | None  # the client's
    state: str  # what other tracers keep of theirs: passed on unread
    flags: int
    started: float  # the request had arrived
    admitted: float  # policy and price had admitted it: the hold began
    held: float  # the hold was durable: it could be sent

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are wanted."""
        return bool(self.flags & _SAMPLED)


def traced(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    bits: int,
    sample_ratio: float,
    hops: tuple[float, float, float],
) -> Trace:
    """A trace that goes on from the client's, or begins; `bits` are 256 random ones.

    Where the client says whether its trace is sampled, that stands; else `sample_ratio` of all are.
    `hops` are the moments `started`, `admitted` and `held`.
    """
    found = {name: value for name, value in headers if name in (_TRACEPARENT, _TRACESTATE)}
    if parent := found.get(_TRACEPARENT):
        _, trace, span, flags = parent.split(b"-")[:4]
        trace_id, parent_id = int(trace, 16), int(span, 16)
        kept = int(flags, 16) & _FLAGS
    else:
        trace_id, parent_id = bits & ((1 << 128) - 1) or 1, None
        is_wanted = trace_id & _HALF < sample_ratio * (1 << _HALF_BITS)
        kept = _RANDOM | (_SAMPLED if is_wanted else 0)
    started, admitted, held = hops
    return Trace(
        trace_id=trace_id,
        span_id=(bits >> 128) & _HALF or 1,
        upstream_span_id=(bits >> 192) & _HALF or 1,
        parent_span_id=parent_id,
        state=found.get(_TRACESTATE, b"").decode("latin-1"),
        flags=kept,
        started=started,
        admitted=admitted,
        held=held,
    )


def carried(headers: Iterable[tuple[bytes, bytes]], trace: Trace) -> list[tuple[bytes, bytes]]:
    """Headers for the upstream, which is told that its parent is our request to it."""
    told = f"00-{trace.trace_id:032x}-{trace.upstream_span_id:016x}-{trace.flags:02x}"
    return [*(one for one in headers if one[0] != _TRACEPARENT), (_TRACEPARENT, told.encode())]
