"""What a course tells the ledger, and when. How it goes with the bytes: `test_relay`."""

import asyncio

import pytest

from gateway.app.metered import Metered
from gateway.core.exchange import Exchange
from tests.app.test_relay import Scene
from tests.fakes.told import BEFORE, TERMINAL

STREAM = [(b"content-type", b"text/event-stream")]


def course(scene: Scene) -> Metered:
    one = Metered(scene.meter, scene.hold, 0.0)
    one.sent()
    assert one.answered(status=200, headers=STREAM) == STREAM
    return one


async def test_a_name_is_noted_once_and_the_cost_before_the_end_leaves() -> None:
    scene = Scene()
    one = course(scene)
    assert one.chunk(BEFORE) == BEFORE
    assert one.chunk(b": still there\n\n") != b""
    assert (one.chunk(TERMINAL), one.is_due) == (b"", True)
    assert await one.settle() == TERMINAL
    assert scene.client.notes == [("opened", "resp_1"), ("settled", "completed")]
    assert (one.request_id, one.is_stream) == (scene.hold.request_id, scene.hold.is_stream)


async def test_who_is_cancelled_while_it_posts_posts_again() -> None:
    scene = Scene()
    posted: list[Exchange] = []

    async def settle(exchange: Exchange) -> bool:
        posted.append(exchange)
        if len(posted) == 1:
            raise asyncio.CancelledError
        return True

    scene.meter.ledger.settle = settle  # type: ignore[method-assign]  # cancelled in its midst
    one = course(scene)
    one.chunk(BEFORE + TERMINAL)
    with pytest.raises(asyncio.CancelledError):
        await one.settle()
    assert posted == [posted[0]] * 2
    assert scene.exchanges == [posted[0]]
