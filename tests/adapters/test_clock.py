"""The database's time: believed when it proves ours wrong, and only then."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.adapters.clock import DatabaseClock, database_us
from tests.adapters.conftest import now_us

US = st.integers(0, 10**7)


class _Clock:
    def __init__(self) -> None:
        self.us = 10**15

    def __call__(self) -> int:
        return self.us


def test_an_answer_that_took_long_proves_nothing() -> None:
    own = _Clock()
    clock = DatabaseClock(own)
    own.us += 5_000_000
    clock.told(10**15 + 1_000_000, asked_us=10**15)
    assert clock() == own.us


@given(skew_us=st.integers(-(10**12), 10**12), out_us=US, back_us=US)
def test_the_correction_is_wrong_by_no_more_than_the_trip(
    skew_us: int, out_us: int, back_us: int
) -> None:
    own = _Clock()
    clock = DatabaseClock(own)
    asked_us = clock.local_us()
    own.us += out_us
    told_us = own.us + skew_us
    own.us += back_us
    clock.told(told_us, asked_us=asked_us)
    assert abs(clock() - (own.us + skew_us)) <= out_us + back_us
    assert abs(clock.offset_us) <= abs(skew_us)


def test_a_database_on_this_host_has_our_time(engine: Engine) -> None:
    before = now_us()
    with engine.connect() as connection:
        told_us = database_us(connection)
    if engine.dialect.name == "sqlite":
        assert told_us is None
    else:
        assert told_us is not None
        assert before - 1000 <= told_us <= now_us() + 1000
