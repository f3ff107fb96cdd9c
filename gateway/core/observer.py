"""What watches a response go by: bytes in, facts out. It never raises and keeps little.

Here: what an observer is, which one a response gets, whole bodies, encoded ones, and what cannot be
read at all. Not here: streams of events (`stream`), or what the values mean (`facts`).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from gateway.core import chat_facts as chat
from gateway.core.chat_stream import ChatStreamObserver
from gateway.core.facts import BODY, facts_from
from gateway.core.observation import TERMINAL_EVENTS, Observation, observe_body
from gateway.core.paths import Node
from gateway.core.plain import facts_in
from gateway.core.progress import Progress
from gateway.core.skim import Skimmer
from gateway.core.skimmed import Skimmed
from gateway.core.sse import EVENT_BYTES_MAX
from gateway.core.stream import StreamObserver

__all__ = [
    "TERMINAL_EVENTS",
    "BodyObserver",
    "ChatStreamObserver",
    "EncodedObserver",
    "Observation",
    "Observer",
    "OpaqueObserver",
    "StreamObserver",
    "observer_for",
]

DECODED_BYTES_MAX = 1 << 16  # of an encoded body at once, so that a small chunk cannot grow large

_STATUSES_WITHOUT_BODY = frozenset({204, 304})


class Observer(Protocol):
    """Watches one response.

    `response_id` is known as soon as it passed; `has_output` turns true with the first event
    that carries output. `observation` is valid once `feed` answered an offset, and after `end`.
    """

    @property
    def response_id(self) -> str | None: ...
    @property
    def has_output(self) -> bool: ...
    @property
    def events(self) -> int: ...
    @property
    def observation(self) -> Observation: ...

    def feed(self, chunk: bytes) -> int | None:
        """Where in `chunk` the first terminal event begins, if this chunk completed it."""

    def end(self, *, is_clean: bool) -> Observation:
        """No more bytes come. At a clean end an event that lacks only its blank line counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a whole body is read: at its end, or by what of it was found as it passed."""

    tree: Node
    whole: Callable[[bytes], Observation]
    walked: Callable[[Skimmed | None], Observation]


def _observe_response(found: Skimmed | None) -> Observation:
    return observe_body(facts_from(found, is_event=False) if found else None)


RESPONSE = Reading(
    tree=BODY,
    whole=lambda body: observe_body(facts_in(body, is_event=False)),
    walked=_observe_response,
)
_OTHERS = {  # by the endpoint that answers
    "chat.completions": Reading(
        tree=chat.TREE,
        whole=lambda body: chat.observe_completion(chat.said_in(body)),
        walked=lambda found: chat.observe_completion(chat.said_from(found)),
    ),
    "embeddings": Reading(
        tree=chat.TREE,
        whole=lambda body: chat.observe_embeddings(chat.said_in(body)),
        walked=lambda found: chat.observe_embeddings(chat.said_from(found)),
    ),
}


class BodyObserver:
    """Reads one JSON object at its end; past `body_bytes_max` it is skimmed as it passes."""

    def __init__(
        self, reading: Reading = RESPONSE, *, body_bytes_max: int = EVENT_BYTES_MAX
    ) -> None:
        self.events = 0
        self._reading = reading
        self._body_bytes_max = body_bytes_max
        self._body = bytearray()
        self._skimmer: Skimmer | None = None
        self._observation: Observation | None = None

    @property
    def response_id(self) -> str | None:
        return self.observation.response_id

    @property
    def has_output(self) -> bool:
        return self.observation.has_output

    def feed(self, chunk: bytes) -> None:
        if self._skimmer is not None:
            self._skimmer.feed(chunk)
            return
        self._body += chunk
        if len(self._body) > self._body_bytes_max:
            self._skimmer = Skimmer(self._reading.tree)
            self._skimmer.feed(bytes(self._body))
            self._body.clear()

    def end(self, *, is_clean: bool) -> Observation:  # noqa: ARG002 - JSON itself says if it is whole
        if self._observation is None:
            self._observation = self._observe()
            self._body.clear()
        return self._observation

    @property
    def observation(self) -> Observation:
        return self._observation or Observation()

    def _observe(self) -> Observation:
        if self._skimmer is None:
            return self._reading.whole(bytes(self._body))
        return self._reading.walked(self._skimmer.end())


class OpaqueObserver:
    """Stands beside what cannot be read: it is relayed all the same."""

    response_id: str | None = None
    has_output = False
    events = 0

    def __init__(self, *, problem: str | None) -> None:
        self.observation = Observation(problem=problem)

    def feed(self, chunk: bytes) -> None:
        pass

    def end(self, *, is_clean: bool) -> Observation:  # noqa: ARG002 - an observer's signature
        return self.observation


class EncodedObserver:
    """Decodes a copy of a gzip or deflate body on the side, for another observer to read."""

    def __init__(self, observer: Observer, *, is_gzip: bool) -> None:
        self._observer = observer
        self._is_gzip = is_gzip
        self._inflater: zlib._Decompress | None = None
        self._is_broken = False
        self._is_second = False  # past the first member, what is no other member is only padding

    @property
    def response_id(self) -> str | None:
        return self._observer.response_id

    @property
    def has_output(self) -> bool:
        return self._observer.has_output

    @property
    def events(self) -> int:
        return self._observer.events

    @property
    def observation(self) -> Observation:
        seen = self._observer.observation
        if self._is_broken and not self._is_second and seen.terminal is None:
            return replace(seen, problem="encoding_broken")
        return seen

    def feed(self, chunk: bytes) -> int | None:
        offset = None
        is_full = False  # a full piece may have left more behind, though the chunk is used up
        while (chunk or is_full) and not self._is_broken:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(self._window_bits(chunk))
            try:
                piece = self._inflater.decompress(chunk, DECODED_BYTES_MAX)
            except zlib.error:
                self._is_broken = True
                break
            chunk, is_full = self._rest(self._inflater), len(piece) == DECODED_BYTES_MAX
            if self._observer.feed(piece) is not None:
                offset = 0
        return offset

    def end(self, *, is_clean: bool) -> Observation:
        self._observer.end(is_clean=is_clean and not self._is_broken)
        return self.observation

    def _window_bits(self, chunk: bytes) -> int:
        """Which of the formats zlib is to expect; what is called deflate often lacks its header."""
        if self._is_gzip:
            return zlib.MAX_WBITS + 16
        is_zlib = chunk[0] & 0x0F == zlib.DEFLATED
        return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS

    def _rest(self, inflater: "zlib._Decompress") -> bytes:
        if not inflater.eof:
            return inflater.unconsumed_tail
        self._inflater = None
        self._is_second = True
        return inflater.unused_data


def observer_for(
    *,
    status: int,
    content_type: str,
    content_encoding: str,
    endpoint: str = "responses",
    event_bytes_max: int = EVENT_BYTES_MAX,
    progress: Progress | None = None,
) -> Observer:
    """The observer for an answer with this head; larger events and bodies are skimmed."""
    if status in _STATUSES_WITHOUT_BODY:
        return OpaqueObserver(problem=None)
    media_type = content_type.partition(";")[0].strip().lower()
    observer = _observer_of(media_type, endpoint, event_bytes_max, progress)
    encoding = content_encoding.strip().lower()
    if observer is None:
        return OpaqueObserver(problem="content_type_unknown")
    if encoding in {"", "identity"}:
        return observer
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return EncodedObserver(observer, is_gzip=encoding != "deflate")
    return OpaqueObserver(problem="encoding_unknown")


def _observer_of(
    media_type: str, endpoint: str, event_bytes_max: int, progress: Progress | None
) -> Observer | None:
    if media_type == "text/event-stream":
        if endpoint == "chat.completions":
            return ChatStreamObserver(event_bytes_max=event_bytes_max)
        return StreamObserver(event_bytes_max=event_bytes_max, progress=progress)
    if media_type == "application/json":
        return BodyObserver(_OTHERS.get(endpoint, RESPONSE), body_bytes_max=event_bytes_max)
    return None
