"""What is worth writing, and what who waits is told."""

import asyncio

from gateway.adapters.job import Job
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held
from gateway.core.errors import LedgerUnavailable, Overloaded
from tests import builders


def job(waiter: "asyncio.Future[None] | None") -> Job:
    hold = builders.hold()
    return Job(posting=Held(row=hold_row(hold, owner_id="me")), waiter=waiter, hold=hold)


async def test_a_hold_that_nobody_waits_for_is_not_begun() -> None:
    waiter = asyncio.get_running_loop().create_future()
    waiter.cancel()
    assert not job(waiter).begin()
    assert job(None).begin()


async def test_a_hold_that_was_begun_goes_on() -> None:
    waiter = asyncio.get_running_loop().create_future()
    begun = job(waiter)
    assert begun.begin()
    waiter.cancel()
    assert begun.begin()


async def test_who_left_waits_no_more() -> None:
    waiting = job(asyncio.get_running_loop().create_future())
    waiting.is_waiting = True
    assert waiting.begin()
    assert waiting.is_waiting
    assert waiting.waiter is not None
    waiting.is_begun = False
    waiting.waiter.cancel()
    assert not waiting.begin()
    assert not waiting.is_waiting


def test_only_our_own_errors_are_shown() -> None:
    one = job(None)
    one.error = Overloaded()
    assert one.shown() is one.error
    one.error = ZeroDivisionError("in a driver")
    assert isinstance(one.shown(), LedgerUnavailable)
    assert one.shown().__cause__ is one.error
