"""The heartbeat: registered before anything is held, renewed in time, gone at the end."""

import pytest
from sqlalchemy import Engine, delete

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.lease import Lease
from gateway.adapters.ledger import Ledger
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview

SECOND_US = 1_000_000


class _Clock:
    def __init__(self) -> None:
        self.now_us = builders.AT_US

    def __call__(self) -> int:
        return self.now_us


def beat(engine: Engine, lease: Lease) -> None:
    with write_transaction(engine) as connection:
        renewed_us = lease.renew(connection)
    lease.renewed(renewed_us)


def test_a_lease_is_renewed_three_times_before_it_ends(engine: Engine) -> None:
    clock = _Clock()
    lease = Lease(owner_id="me", now_us=clock, lease_seconds=30)
    assert lease.due_in_seconds() == 0
    beat(engine, lease)
    assert lease.due_in_seconds() == 10
    clock.now_us += 9 * SECOND_US
    assert lease.due_in_seconds() == 1
    clock.now_us += 5 * SECOND_US
    assert lease.due_in_seconds() == 0
    beat(engine, lease)
    (row,) = ledgerview.rows(engine, schema.owner)
    assert row["lease_until_us"] == clock.now_us + 30 * SECOND_US
    assert row["started_at_us"] == builders.AT_US


def test_a_clock_set_back_does_not_stop_the_heart(engine: Engine) -> None:
    clock = _Clock()
    lease = Lease(owner_id="me", now_us=clock, lease_seconds=30)
    beat(engine, lease)
    clock.now_us -= 3600 * SECOND_US
    assert lease.due_in_seconds() == 10


def test_a_gap_longer_than_a_lease_begins_a_new_steady_time(engine: Engine) -> None:
    clock = _Clock()
    lease = Lease(owner_id="me", now_us=clock, lease_seconds=30)
    assert lease.steady_since_us is None
    beat(engine, lease)
    clock.now_us += 20 * SECOND_US
    beat(engine, lease)
    assert lease.steady_since_us == builders.AT_US
    clock.now_us += 60 * SECOND_US
    beat(engine, lease)
    assert lease.steady_since_us == clock.now_us


async def test_an_owner_is_registered_before_its_first_hold_and_not_after_its_end(
    engine: Engine,
) -> None:
    ledger = Ledger(engine=engine, owner_id="me", now_us=now_us)
    ledger.start()
    await ledger.hold(builders.hold())
    assert [row["id"] for row in ledgerview.rows(engine, schema.owner)] == ["me"]
    assert ledger.steady_since_us is not None
    await ledger.aclose()
    assert ledgerview.rows(engine, schema.owner) == []


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # where a fake clock decides
async def test_an_owner_taken_for_dead_comes_back_with_the_transaction_that_holds(
    engine: Engine,
) -> None:
    clock = _Clock()
    ledger = Ledger(engine=engine, owner_id="me", now_us=clock)
    ledger.start()
    await ledger.hold(builders.hold())
    with write_transaction(engine) as connection:
        connection.execute(delete(schema.owner))
    clock.now_us += 60 * SECOND_US
    await ledger.hold(builders.hold())
    assert [row["id"] for row in ledgerview.rows(engine, schema.owner)] == ["me"]
    assert ledger.steady_since_us == clock.now_us
    await ledger.aclose()
