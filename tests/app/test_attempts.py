"""Failures are counted by address, for a minute, and of a bounded number of addresses."""

import pytest

from gateway.app.attempts import WINDOW_SECONDS, FailedAttempts
from gateway.core.address import networks
from gateway.core.errors import TooManyFailedAttempts
from gateway.core.headers import Headers

PEER = "203.0.113.9"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def counted(clock: Clock, *, addresses_max: int = 10) -> FailedAttempts:
    return FailedAttempts(
        per_minute_max=3,
        trusted=networks("10.0.0.0/8,2001:db8:1::1"),
        clock=clock,
        addresses_max=addresses_max,
    )


def is_refused(attempts: FailedAttempts, peer: str, forwarded: str = "") -> bool:
    try:
        attempts.check(peer, headers(forwarded))
    except TooManyFailedAttempts:
        return True
    return False


def headers(forwarded: str) -> Headers:
    return [(b"host", b"a"), *([(b"x-forwarded-for", forwarded.encode())] if forwarded else [])]


def fail(attempts: FailedAttempts, times: int, peer: str, forwarded: str = "") -> None:
    for _ in range(times):
        attempts.failed(peer, headers(forwarded))


def test_the_limit_speaks_after_so_many_and_for_a_minute() -> None:
    clock = Clock()
    attempts = counted(clock)
    fail(attempts, 2, PEER)
    assert not is_refused(attempts, PEER)
    clock.now += 10.5
    fail(attempts, 1, PEER)
    with pytest.raises(TooManyFailedAttempts) as raised:
        attempts.check(PEER, [])
    assert raised.value.retry_after_seconds == 50
    assert not is_refused(attempts, "203.0.113.10")
    clock.now = 100 + WINDOW_SECONDS
    assert not is_refused(attempts, PEER)
    fail(attempts, 1, PEER)
    assert not is_refused(attempts, PEER), "a new minute"


def test_a_trusted_proxy_s_clients_are_counted_one_by_one() -> None:
    attempts = counted(Clock())
    fail(attempts, 3, "10.0.0.1", PEER)
    assert is_refused(attempts, "10.0.0.2", PEER)
    assert is_refused(attempts, PEER)
    assert not is_refused(attempts, "10.0.0.1", "203.0.113.10")


def test_nobody_else_s_word_is_believed() -> None:
    attempts = counted(Clock())
    for number in range(3):
        fail(attempts, 1, PEER, f"203.0.113.{number}")
    assert is_refused(attempts, PEER, "198.51.100.1")


@pytest.mark.parametrize("peer", ["", "127.0.0.1", "::1", "10.0.0.1", "2001:db8:1::1"])
def test_behind_some_anybody_may_stand(peer: str) -> None:
    attempts = counted(Clock())
    fail(attempts, 9, peer)
    assert not is_refused(attempts, peer)


def test_only_so_many_addresses_are_remembered() -> None:
    attempts = counted(Clock(), addresses_max=2)
    for last in (1, 2, 3):
        fail(attempts, 3, f"203.0.113.{last}")
    assert [is_refused(attempts, f"203.0.113.{last}") for last in (1, 2, 3)] == [False, True, True]


def test_where_nobody_is_spared_loopback_is_counted_as_one() -> None:
    attempts = FailedAttempts(per_minute_max=3, clock=Clock(), is_sparing=False)
    fail(attempts, 3, "127.0.0.1")
    fail(attempts, 3, "")
    assert is_refused(attempts, "127.0.0.1")
    assert is_refused(attempts, "")
    assert not is_refused(attempts, PEER)
