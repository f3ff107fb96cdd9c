"""Who takes sleeps until there is some, and sleeps through nothing."""

import threading
from collections.abc import Callable

from gateway.adapters.inbox import Inbox
from gateway.adapters.job import Job
from gateway.adapters.work import Opened

FOR_EVER_SECONDS = 60.0


def job(name: str = "a") -> Job:
    return Job(posting=Opened(request_id=name, response_id="resp_1"))


def at_once(call: Callable[[], None]) -> None:
    call()


def test_the_first_come_first_and_no_more_than_asked() -> None:
    inbox, jobs = Inbox(at_once), [job(), job(), job()]
    for one in jobs:
        inbox.put(one)
    assert len(inbox) == 3
    assert inbox.take(2) == jobs[:2]
    assert inbox.take(2) == jobs[2:]
    assert inbox.take(2) == []


def test_who_finds_a_job_does_not_sleep() -> None:
    inbox = Inbox(at_once)
    inbox.put(job())
    inbox.sleep(FOR_EVER_SECONDS)
    assert len(inbox) == 1


def test_a_call_ends_the_sleep() -> None:
    inbox = Inbox(at_once)
    sleeper = threading.Thread(target=inbox.sleep, args=(FOR_EVER_SECONDS,))
    sleeper.start()
    inbox.wake()
    sleeper.join(FOR_EVER_SECONDS)
    assert not sleeper.is_alive()
    inbox.sleep(0)  # nobody calls: it ends by itself


def test_what_comes_together_is_one_call() -> None:
    calls: list[Callable[[], None]] = []
    inbox = Inbox(calls.append)
    sleeper = threading.Thread(target=inbox.sleep, args=(FOR_EVER_SECONDS,))
    sleeper.start()
    while not calls:  # until it sleeps
        inbox.put(job())
    inbox.put(job())
    assert len(calls) == 1
    assert sleeper.is_alive()
    calls[0]()
    sleeper.join(FOR_EVER_SECONDS)
    assert not sleeper.is_alive()


def test_none_is_slept_through() -> None:
    """One puts while the other takes, sleeping between: each put is either seen or heard."""
    inbox, taken = Inbox(at_once), 0
    count = 20_000

    def put() -> None:
        for _ in range(count):
            inbox.put(job())

    putter = threading.Thread(target=put)
    putter.start()
    while taken < count:
        inbox.sleep(FOR_EVER_SECONDS)
        taken += len(inbox.take(3))
    putter.join()
    assert not inbox
