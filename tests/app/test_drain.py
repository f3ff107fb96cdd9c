"""A client that leaves gives its exchange so long and no longer, wherever that waits."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.adapters.metrics import Metrics
from gateway.app.drain import Drain, DrainLimits, Drains, GivenUp


class FakeConnection:
    """A connection that is lost when the test says so."""

    def __init__(self) -> None:
        self.is_gone = False
        self.tell: Callable[[], None] | None = None

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        self.tell = tell

    def lose(self) -> None:
        self.is_gone = True
        if self.tell is not None:
            self.tell()


def drains(**limits: float) -> Drains:
    return Drains(
        limits=DrainLimits(**limits),  # type: ignore[arg-type]  # a count is whole in each call
        metrics=Metrics(version="0", tenants_max=1, totals=dict),
    )


def drain(of: Drains, connection: FakeConnection, left: list[str]) -> Drain:
    return Drain(of, connection, lambda: left.append("left"))  # type: ignore[arg-type]  # a fake


async def outstay(of: Drains, connection: FakeConnection, left: list[str]) -> None:
    """Leave, and be waited for without end."""
    async with drain(of, connection, left):
        connection.lose()
        await asyncio.Event().wait()


async def test_who_stays_has_all_the_time() -> None:
    left: list[str] = []
    async with drain(drains(seconds_max=0.001), FakeConnection(), left):
        await asyncio.sleep(0.01)
    assert left == []


async def test_who_left_is_waited_for_to_the_limit() -> None:
    connection, left = FakeConnection(), list[str]()
    with pytest.raises(GivenUp, match="drain_seconds_max"):
        await outstay(drains(seconds_max=0.001), connection, left)
    assert left == ["left"]


async def test_one_too_many_is_given_up_at_once_and_an_end_makes_room() -> None:
    of, first, second, third = (drains(drains_max=1), *(FakeConnection() for _ in range(3)))
    async with drain(of, first, []) as begun:
        first.lose()
        with pytest.raises(GivenUp, match="drains_max"):
            await outstay(of, second, [])
        begun.end()
        async with drain(of, third, []):
            third.lose()
            await asyncio.sleep(0.001)


async def test_a_leaving_that_nobody_told_is_seen_by_looking_once() -> None:
    connection, left = FakeConnection(), list[str]()
    async with drain(drains(), connection, left) as looking:
        connection.is_gone = True
        looking.look()
        looking.look()
    assert left == ["left"]


async def test_after_the_end_no_limit_applies() -> None:
    connection = FakeConnection()
    async with drain(drains(seconds_max=0.001), connection, []) as ending:
        connection.lose()
        ending.end()
        await asyncio.sleep(0.01)


async def test_what_goes_wrong_inside_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        async with drain(drains(), FakeConnection(), []):
            raise ZeroDivisionError


async def test_what_was_seen_by_looking_and_is_then_told_counts_once() -> None:
    of, left = drains(seconds_max=60, drains_max=1), list[str]()
    connection = FakeConnection()
    async with drain(of, connection, left) as seen:
        connection.is_gone = True
        seen.look()
        connection.lose()
    assert left == ["left"]
    async with drain(of, FakeConnection(), []):
        assert of.begin()  # the one place is free again


async def leave_twice(of: Drains, connection: FakeConnection, left: list[str]) -> None:
    """Be seen to have left, and be told of it while the limit is being applied."""
    async with drain(of, connection, left) as seen:
        connection.is_gone = True
        seen.look()
        try:
            await asyncio.Event().wait()
        finally:
            connection.lose()


async def test_one_given_up_that_is_told_again_ends_as_it_was() -> None:
    connection, left = FakeConnection(), list[str]()
    with pytest.raises(GivenUp, match="drains_max"):
        await leave_twice(drains(drains_max=0), connection, left)
    assert left == ["left"]
