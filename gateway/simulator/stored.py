"""Responses that are kept: read, streamed again, cancelled, deleted, with what they were given.

In the background a response takes its time, and its streams are as far as it is. Not here: how it
is made (`api`).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from gateway.simulator.answers import ApiError, json_answer, live_answer
from gateway.simulator.directive import JsonObject
from gateway.simulator.faults import NO_FAULTS
from gateway.simulator.framing import Segment, stream_segments
from gateway.simulator.http import Received
from gateway.simulator.listing import input_items, listed
from gateway.simulator.script import Scene, final_response, first_response, tell
from gateway.simulator.wire import Answer

STORED_MAX = 4096


@dataclass(slots=True)
class Stored:
    """A response that can be asked for again. Times are the clock's, in seconds."""

    scene: Scene
    clock: Callable[[], float]
    began: float
    polls_left: int
    missing_left: int
    is_cancelled: bool = False

    @property
    def is_at_work(self) -> bool:
        return self.polls_left > 0 or self.clock() < self.began + self.scene.plan.takes_seconds

    def is_missing(self) -> bool:
        """Whether a read does not find it yet: it may be kept only when it has ended."""
        self.missing_left -= 1
        return self.missing_left >= 0

    def now(self) -> JsonObject:
        """Return the response as a read finds it; reads bring it on, its own stream or not."""
        if self.is_cancelled:
            return first_response(self.scene, "cancelled")
        if self.is_at_work:
            self.polls_left = max(0, self.polls_left - 1)
            return first_response(self.scene)
        return final_response(self.scene)

    def live(self, after: int = -1) -> Iterator[Segment]:
        """Yield its events as they happen, the earlier ones at once; none once it is cancelled."""
        events = list(tell(self.scene))
        step_seconds = self.scene.plan.takes_seconds / len(events)
        for event in events:
            number = event["sequence_number"]
            if number <= after:
                continue
            yield Segment(data=b"", is_first=False, due_at=self.began + step_seconds * (number + 1))
            if self.is_cancelled:
                return
            yield from stream_segments([event], NO_FAULTS, self.scene.plan.huge_mib)


class Shelf:
    """All that are kept, by their ids: the oldest go first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stored: OrderedDict[str, Stored] = OrderedDict()

    def keep(self, scene: Scene) -> Stored:
        stored = Stored(
            scene=scene,
            clock=self._clock,
            began=self._clock(),
            polls_left=scene.plan.polls,
            missing_left=scene.plan.missing,
        )
        self._stored[scene.ids.response] = stored
        while len(self._stored) > STORED_MAX:
            self._stored.popitem(last=False)
        return stored

    def find(self, name: str) -> Stored | None:
        return self._stored.get(name)

    def answer(self, received: Received, name: str, action: str) -> Answer:
        """Answer a request for one of them, or for a part of it."""
        stored = self.find(name)
        if stored is None or stored.is_missing():
            raise ApiError(404, f"Response with id '{name}' not found.")
        query = parse_qs(received.query)
        route = received.method, action
        if route == ("GET", ""):
            return _told_again(stored, query)
        if route == ("GET", "input_items"):
            body, ids = stored.scene.body, stored.scene.ids
            return json_answer(listed(input_items(body, ids), query))
        if route == ("POST", "cancel"):
            return _cancelled(stored)
        if route == ("DELETE", ""):
            del self._stored[name]
            return json_answer({"id": name, "object": "response", "deleted": True})
        raise ApiError(404, f"There is nothing at {received.method} {received.path}")


def _cancelled(stored: Stored) -> Answer:
    if not stored.scene.body.get("background"):
        raise ApiError(400, "Cannot cancel a synchronous response.")
    stored.is_cancelled = stored.is_cancelled or stored.is_at_work
    return json_answer(stored.now())


def _told_again(stored: Stored, query: dict[str, list[str]]) -> Answer:
    if query.get("stream", [""])[0] != "true":
        return json_answer(stored.now())
    wanted = query.get("starting_after", ["-1"])[0]
    if not wanted.removeprefix("-").isdecimal():
        raise ApiError(400, "That is no sequence number.", param="starting_after")
    return live_answer(stored.live(int(wanted)), NO_FAULTS, None)
