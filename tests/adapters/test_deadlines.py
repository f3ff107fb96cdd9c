"""Who waits too long is told, in the order of what each may wait, and nobody else is."""

import asyncio
import time

import pytest

from gateway.adapters.deadlines import Deadlines
from gateway.adapters.job import Job, TooLate
from gateway.adapters.work import Opened

LATE_SECONDS = 0.01
FOR_EVER_SECONDS = 60.0


class Watch:
    """Deadlines, and how often one was missed."""

    def __init__(self) -> None:
        self.late = 0
        self._deadlines = Deadlines(self._count)

    def job(self, seconds_max: float, wait_until: float = 0.0) -> Job:
        waiter = asyncio.get_running_loop().create_future()
        opened = Opened(request_id="a", response_id="b")
        job = Job(posting=opened, waiter=waiter, wait_until=wait_until)
        self._deadlines.watch(job, seconds_max)
        return job

    def _count(self) -> None:
        self.late += 1


async def wait_for(job: Job) -> None:
    assert job.waiter is not None
    await job.waiter


async def test_each_that_is_late_is_told() -> None:
    watch = Watch()
    jobs = [watch.job(LATE_SECONDS) for _ in range(3)]
    for job in jobs:
        with pytest.raises(TooLate):
            await wait_for(job)
    assert watch.late == 3
    with pytest.raises(TooLate):  # the timer that has run is not the last
        await wait_for(watch.job(LATE_SECONDS))


async def test_who_was_answered_is_not_late() -> None:
    watch = Watch()
    answered, late = watch.job(LATE_SECONDS), watch.job(LATE_SECONDS)
    answered.answer()
    with pytest.raises(TooLate):
        await wait_for(late)
    await wait_for(answered)
    assert watch.late == 1


async def test_who_may_wait_less_long_does_not_wait_for_those_before() -> None:
    watch = Watch()
    patient, hasty = watch.job(FOR_EVER_SECONDS), watch.job(LATE_SECONDS)
    with pytest.raises(TooLate):
        await wait_for(hasty)
    assert patient.waiter is not None
    assert not patient.waiter.done()


async def test_nor_for_the_time_of_one_who_was_answered() -> None:
    watch = Watch()
    watch.job(FOR_EVER_SECONDS).answer()
    with pytest.raises(TooLate):
        await asyncio.wait_for(wait_for(watch.job(LATE_SECONDS)), FOR_EVER_SECONDS / 10)


async def test_who_waits_for_money_has_that_time_too() -> None:
    watch = Watch()
    until = time.monotonic() + 0.1
    job = watch.job(LATE_SECONDS, wait_until=until)
    job.is_waiting = True
    with pytest.raises(TooLate):
        await wait_for(job)
    assert time.monotonic() > until
