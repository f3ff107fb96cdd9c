"""Watches a stream of a chat completion's chunks go by: `[DONE]` ends it, its usage comes before.

Not here: how bytes become events (`sse`), or what a chunk says (`chat_facts`).
"""

from gateway.core.chat_facts import TREE, Said, ended, said_from, said_in, tools_of, usage_in
from gateway.core.facts import Facts
from gateway.core.observation import FAILED, Observation, observe
from gateway.core.skim import Skimmer
from gateway.core.sse import EVENT_BYTES_MAX, ServerSentEvent, SSEDecoder

DONE = b"[DONE]"
CHOICES_MAX = 256  # whose ends are told apart


class ChatStreamObserver:
    """Reads each chunk for the little that matters in it.

    `usage_events` are the places, in the bytes fed last, of events that tell the usage and nothing
    else: who did not ask for the usage may be spared them.
    """

    def __init__(self, *, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self.response_id: str | None = None
        self.has_output = False
        self.events = 0
        self.usage_events: list[tuple[int, int]] = []
        self._decoder = SSEDecoder(event_bytes_max=event_bytes_max, overflow=_skim_large)
        self._open: set[int] = set()  # choices that have begun and not ended
        self._reasons: set[str] = set()
        self._audio_ids: dict[str, None] = {}
        self._model: str | None = None
        self._service_tier: str | None = None
        self._usage = b""
        self._error: str | None = None
        self._has_last = False  # the usage by itself, which comes when all is written
        self._is_done = False

    def feed(self, chunk: bytes) -> int | None:
        offset = None
        self.usage_events = []
        events = self._decoder.feed(chunk)
        self.events += len(events)
        for event in events:
            if self._take(event) and offset is None and not self._is_done:
                offset = event.start
                self._is_done = True
        return offset

    def end(self, *, is_clean: bool) -> Observation:
        event = self._decoder.end() if is_clean else None
        if event is not None:
            self.events += 1
            self._is_done = self._take(event) or self._is_done
        # Some hosts say no more than why each choice ended.
        self._is_done = self._is_done or (is_clean and self._is_finished)
        return self.observation

    @property
    def observation(self) -> Observation:
        usage, is_invalid = usage_in(self._usage)
        terminal, reason = ended(self._reasons)
        is_over = self._is_done or (self._has_last and self._is_finished)
        facts = Facts(
            response_id=self.response_id,
            model=self._model,
            service_tier=self._service_tier,
            usage=usage,
            is_usage_invalid=is_invalid,
            tools=tools_of(self._model),
            reason=self._error or reason,
            has_output=self.has_output,
            item_ids=tuple(self._audio_ids),
        )
        return observe(facts, terminal=FAILED if self._error else terminal if is_over else None)

    @property
    def _is_finished(self) -> bool:
        return bool(self._reasons) and not self._open

    def _take(self, event: ServerSentEvent) -> bool:
        """Whether it is the end."""
        if isinstance(event.overflow, Skimmer):
            said = said_from(event.overflow.end())
        elif event.data == DONE:
            return True
        else:
            said = said_in(event.data or b"")
        if said is not None:
            self._note(said, event)
        return False

    def _note(self, said: Said, event: ServerSentEvent) -> None:
        self.response_id = self.response_id or said.id
        self._model = said.model or self._model
        self._service_tier = said.service_tier or self._service_tier
        self._error = self._error or said.reason
        for choice in said.choices or ():
            self._note_choice(choice.index, choice.finish_reason)
            self.has_output = self.has_output or choice.has_output
            if (audio_id := choice.audio_id) and len(self._audio_ids) < CHOICES_MAX:
                self._audio_ids[audio_id] = None
        if said.has_usage:
            self._usage = bytes(said.usage)
            if not said.choices:
                self._has_last = True
                self.usage_events.append((event.start, event.end))

    def _note_choice(self, index: int, finish_reason: str | None) -> None:
        if finish_reason:
            self._open.discard(index)
            self._reasons.add(finish_reason)
        elif len(self._open) < CHOICES_MAX:
            self._open.add(index)


def _skim_large() -> Skimmer:
    return Skimmer(TREE)
