"""Who reads that a response ended, settles it; what is owed for it, and where that is known."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from gateway.app.passing import Passed
from gateway.app.reading import Desk, Reading
from gateway.core.endpoints import find
from gateway.core.exchange import Exchange, Hold
from gateway.core.observation import Observation
from gateway.core.reconciliation import Told
from tests.app.test_reconcile import COMPLETED, RUNNING, broken
from tests.app.test_relay import Scene as RelayScene
from tests.builders import hold, tenant
from tests.fakes.told import AFTER, BODY, BODY_HEAD, BOOK, DELTA, RESPONSE, STREAM_HEAD, TERMINAL

RUNNING_BODY = json.dumps({**RESPONSE, "status": "in_progress", "usage": None}).encode()


class Scene:
    """A desk before a ledger that notes, a reconciler that may follow, an upstream that answers."""

    def __init__(
        self,
        *,
        held: Hold | Exception | None = None,
        followed: Exchange | None = None,
        told: Told | None = None,
    ) -> None:
        self._relay = RelayScene()
        self.notes = self._relay.client.notes
        self.posted = self._relay.exchanges
        self.dropped: list[str] = []
        self.asked: list[str] = []
        self._held = held
        self._followed = followed
        self._told = told
        self.desk = Desk(
            find=self._find,
            meter=self._relay.meter,
            reconciler=self,  # type: ignore[arg-type]  # the two methods that it needs
            upstream=self,
            book=lambda: BOOK,
        )

    def _find(self, response_id: str) -> Hold | None:
        assert response_id == "resp_1"
        if isinstance(self._held, Exception):
            raise self._held
        return self._held

    def followed(self, request_id: str) -> Exchange | None:
        is_it = self._followed is not None and self._followed.hold.request_id == request_id
        return self._followed if is_it else None

    def drop(self, request_id: str) -> None:
        self.dropped.append(request_id)

    async def ask(self, response_id: str) -> Told | None:
        self.asked.append(response_id)
        return self._told

    def reading(self, owed: Exchange) -> Reading:
        match = find("GET", b"/v1/responses/resp_1")
        passed = Passed(
            request_id="1", match=match, tenant=tenant(), path=match.path, headers=[], body=b""
        )
        return Reading(passed, self.desk, owed)


async def test_what_is_owed_is_known_by_who_asks_for_it_else_by_its_hold() -> None:
    owed = broken()
    assert await Scene(held=owed.hold, followed=owed).desk.owed("resp_1") == owed
    held = hold()
    unseen = await Scene(held=held, followed=owed).desk.owed("resp_1")
    assert unseen is not None
    assert (unseen.hold, unseen.response_id, unseen.cost_pusd) == (held, "resp_1", held.hold_pusd)
    assert await Scene().desk.owed("resp_1") is None


async def test_without_the_database_nothing_is_known_to_be_owed() -> None:
    away = OperationalError("select", {}, Exception("gone"))
    assert await Scene(held=away).desk.owed("resp_1") is None


@pytest.mark.parametrize(
    ("head", "chunks", "kept"),
    [
        (STREAM_HEAD, [DELTA, TERMINAL + AFTER], TERMINAL + AFTER),
        (BODY_HEAD, [BODY], BODY),
        ([*BODY_HEAD, (b"content-length", b"%d" % len(BODY))], [BODY[:9], BODY[9:]], BODY[9:]),
    ],
)
async def test_the_end_leaves_when_what_it_says_is_on_disk(
    head: Any, chunks: list[bytes], kept: bytes
) -> None:
    scene, owed = Scene(), broken()
    reading = scene.reading(owed)
    assert reading.answered(status=200, headers=head) == head
    passed = b"".join([reading.chunk(one) for one in chunks])
    reading.ended()
    assert reading.is_due
    assert await reading.settle() == kept
    assert passed + kept == b"".join(chunks)
    assert (reading.is_due, scene.notes) == (False, [("settled", "completed")])
    (entry,) = scene.posted
    assert (entry.hold, entry.basis, entry.reason) == (owed.hold, "retrieved", owed.reason)
    assert scene.dropped == [owed.hold.request_id]
    reading.ended()
    assert (reading.is_due, reading.chunk(b"more")) == (False, b"more")


@pytest.mark.parametrize(("status", "body"), [(200, RUNNING_BODY), (404, BODY), (200, b"<html>")])
async def test_what_has_not_ended_stays_owed(status: int, body: bytes) -> None:
    scene = Scene()
    reading = scene.reading(broken())
    reading.answered(status=status, headers=BODY_HEAD)
    passed = reading.chunk(body)
    reading.ended()
    assert passed + await reading.settle() == body
    assert (scene.posted, scene.dropped) == ([], [])


async def test_without_an_answer_there_is_nothing_to_learn() -> None:
    scene = Scene()
    reading = scene.reading(broken())
    reading.ended(reason="gateway_stopped")
    assert (reading.is_due, await reading.settle(), scene.posted) == (True, b"", [])


@pytest.mark.parametrize(
    ("told", "posted"),
    [
        (COMPLETED, 1),
        (RUNNING, 0),
        (None, 0),
        (Told(status=404, observation=Observation()), 0),
    ],
)
async def test_what_is_to_be_deleted_is_asked_for_before(told: Told | None, posted: int) -> None:
    scene, owed = Scene(told=told), broken()
    await scene.desk.ask(owed)
    assert scene.asked == ["resp_1"]
    assert [one.hold for one in scene.posted] == [owed.hold] * posted
