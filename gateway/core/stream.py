"""Watches a stream of events go by: its terminal event is read, the others are counted by type.

Not here: how bytes become events (`sse`), or what a terminal event says (`facts`).
"""

import re

from msgspec.structs import replace

from gateway.core.facts import EVENT, Facts, facts_from, response_id_in, type_in
from gateway.core.observation import TERMINAL_EVENTS, Observation, observe
from gateway.core.plain import facts_in
from gateway.core.progress import EVENTS as PROGRESS_EVENTS
from gateway.core.progress import Progress
from gateway.core.skim import Skimmer
from gateway.core.sse import EVENT_BYTES_MAX, ServerSentEvent, SSEDecoder

EVENT_TYPES_MAX = 256
EVENT_TYPE_CHARS_MAX = 64

_OPENING_EVENTS = frozenset({"response.created", "response.queued", "response.in_progress"})
_OUTPUT_PREFIXES = (
    "response.output_",  # items and text
    "response.content_part.",
    "response.reasoning",
    "response.refusal",
)
_type_at_start = re.compile(
    rb'[ \t\n]*\{[ \t\n]*(?:"sequence_number"[ \t\n]*:[ \t\n]*[0-9]+[ \t\n]*,[ \t\n]*)?'
    rb'"type"[ \t\n]*:[ \t\n]*"([^"\\]{1,%d})"' % EVENT_TYPE_CHARS_MAX
).match
# Most chunks are one event of a type that was seen before, as the API writes it: no more than its
# count is of use then, and this finds its type in a tenth of the time that decoding takes.
_lone_event = re.compile(
    rb'event: ([a-z_.]{1,%d})\ndata: \{"type":"\1"[^\r\n]*\n\n' % EVENT_TYPE_CHARS_MAX
).fullmatch
_LONE_BYTES_MAX = 4096  # beyond it a search for the line's end is faster


class StreamObserver:
    """Reads terminal events, and the response's id; other events are counted by type, unparsed."""

    def __init__(
        self, *, event_bytes_max: int = EVENT_BYTES_MAX, progress: Progress | None = None
    ) -> None:
        self.response_id: str | None = None
        self.has_output = False
        self.events = 0
        self._progress = progress
        self._decoder = SSEDecoder(event_bytes_max=event_bytes_max, overflow=_skim_large)
        self._counts: dict[str, list[int]] = {}
        self._plain: dict[bytes, list[int]] = {}  # counts of the types that need no second look
        self._terminal: str | None = None
        self._facts = Facts()
        self._error: str | None = None
        self._is_unreadable = False
        self._is_reported = False
        self._is_ended = False

    def feed(self, chunk: bytes) -> int | None:
        if len(chunk) <= _LONE_BYTES_MAX and (lone := _lone_event(chunk)) is not None:
            count = self._plain.get(lone[1])
            if count is not None and self._decoder.is_between_events:
                count[0] += 1
                self.events += 1
                return None
        return self._feed(chunk)

    def _feed(self, chunk: bytes) -> int | None:
        offset = None
        events = self._decoder.feed(chunk)
        self.events += len(events)
        for event in events:
            found = _type_at_start(event.data) if event.data else None
            count = self._plain.get(found[1]) if found else None
            if count is not None and event.type not in TERMINAL_EVENTS:
                count[0] += 1
            elif self._take(event) and offset is None:
                offset = event.start
        if self._is_reported or offset is None:
            return None
        self._is_reported = True
        return offset

    def end(self, *, is_clean: bool) -> Observation:
        event = self._decoder.end() if is_clean and not self._is_ended else None
        self._is_ended = True
        if event is not None:
            if _facts(event) is not None:
                self.events += 1
                self._take(event)
            elif _type(event) in TERMINAL_EVENTS:
                self._is_unreadable = True
        return self.observation

    @property
    def observation(self) -> Observation:
        facts = replace(
            self._facts,
            response_id=self.response_id,
            reason=self._facts.reason or self._error,
            has_output=self.has_output,
        )
        return observe(
            facts,
            terminal=self._terminal,
            problem="event_unreadable" if self._is_unreadable else None,
            event_counts={kind: count[0] for kind, count in self._counts.items()},
        )

    def _take(self, event: ServerSentEvent) -> bool:
        """Whether it is a terminal event."""
        kind = _type(event)
        count = self._count(kind)
        if kind in TERMINAL_EVENTS:
            self._keep(_facts(event), kind)
            return True
        if kind in _OPENING_EVENTS:
            self._take_opening(event)
        elif kind == "error":
            facts = _facts(event)
            self._error = facts.reason if facts else self._error
        else:
            if kind.startswith(_OUTPUT_PREFIXES) or kind.endswith(".delta"):
                self.has_output = True
            if self._progress is not None and kind in PROGRESS_EVENTS:
                self._progress.take(kind, event.data)
            elif len(self._plain) < EVENT_TYPES_MAX:
                self._plain[kind.encode()] = count
        return False

    def _count(self, kind: str) -> list[int]:
        name = kind[:EVENT_TYPE_CHARS_MAX]
        if name not in self._counts and len(self._counts) >= EVENT_TYPES_MAX:
            name = "other"
        count = self._counts.setdefault(name, [0])
        count[0] += 1
        return count

    def _take_opening(self, event: ServerSentEvent) -> None:
        if self.response_id is not None:
            return
        if event.data is not None:
            self.response_id = response_id_in(event.data)
        elif facts := _facts(event):
            self.response_id = facts.response_id

    def _keep(self, facts: Facts | None, kind: str) -> None:
        """The last usage that is not null wins, with all that was said beside it."""
        if self._facts.usage is not None and (facts is None or facts.usage is None):
            return
        self._terminal = kind
        self._is_unreadable = facts is None
        self._facts = facts or Facts()
        self.has_output = self.has_output or self._facts.has_output
        self.response_id = self.response_id or self._facts.response_id


def _skim_large() -> Skimmer:
    return Skimmer(EVENT)


def _facts(event: ServerSentEvent) -> Facts | None:
    if isinstance(event.overflow, Skimmer):
        found = event.overflow.end()
        return facts_from(found, is_event=True) if found else None
    return facts_in(event.data or b"", is_event=True)


def _type(event: ServerSentEvent) -> str:
    """The type in the data decides; the event line is taken where the data says nothing."""
    if isinstance(event.overflow, Skimmer):
        return facts_from(event.overflow.found, is_event=True).type or event.type
    data = event.data or b""
    found = _type_at_start(data)
    if found is not None:
        kind = found[1].decode("utf-8", "replace")
        if kind == event.type or event.type not in TERMINAL_EVENTS:
            return kind
    return type_in(data) or event.type
