"""Plays given bytes in given pieces: for tests that bring their own answer."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.simulator.answers import STREAM_TYPE, ApiError, api_headers
from gateway.simulator.faults import NO_FAULTS, Faults
from gateway.simulator.framing import Segment
from gateway.simulator.http import Headers, Received
from gateway.simulator.wire import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An answer to be played. `pieces` are lengths; what is left after them is one more piece."""

    body: bytes
    content_type: str = STREAM_TYPE
    status: int = 200
    pieces: Sequence[int] = ()
    method: str = "POST"
    path: str = "/v1/responses"  # or any path below it, for other methods
    headers: tuple[tuple[str, str], ...] = ()
    is_counted: bool = False  # announced by its length, not chunked

    def fits(self, received: Received) -> bool:
        is_at_path = received.path == self.path or (
            self.method != "POST" and received.path.startswith(f"{self.path}/")
        )
        return received.method == self.method and is_at_path

    def answer(self, faults: Faults) -> Answer:
        headers: Headers = [*api_headers(self.content_type), *self.headers]
        return Answer(
            status=self.status,
            headers=headers,
            segments=self._segments(),
            length=len(self.body) if self.is_counted else None,
            faults=replace(faults, split=""),
        )

    def _segments(self) -> Iterator[Segment]:
        at = 0
        for length in self.pieces:
            yield Segment(data=self.body[at : at + length])
            at += length
        if at < len(self.body):
            yield Segment(data=self.body[at:])


class Replays:
    """The recordings that wait for the next request that fits, and those that are asked by name."""

    def __init__(self) -> None:
        self._waiting: deque[Recording] = deque()
        self._named: dict[str, Recording] = {}

    def add(self, recording: Recording, name: str | None = None) -> None:
        if name is None:
            self._waiting.append(recording)
        else:
            self._named[name] = recording

    def next(self, received: Received) -> Answer | None:
        for recording in self._waiting:
            if recording.fits(received):
                self._waiting.remove(recording)
                return recording.answer(NO_FAULTS)
        return None

    def named(self, name: str, faults: Faults) -> Answer:
        if name not in self._named:
            raise ApiError(400, f"The simulator has no recording {name!r}.")
        return self._named[name].answer(faults)
