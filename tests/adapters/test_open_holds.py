"""Open holds, and whether their process lives."""

from sqlalchemy import Engine, delete, update

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.ledger import Ledger
from gateway.adapters.open_holds import open_hold, open_holds
from tests import builders
from tests.adapters.conftest import now_us


async def test_whose_they_are_and_how_old(ledger: Ledger, engine: Engine) -> None:
    at_us = now_us()
    for number, request_id in enumerate("ba"):
        await ledger.hold(builders.hold(request_id=request_id, created_at_us=at_us + number))
    await ledger.settle(builders.exchange(hold=builders.hold(request_id="done")))
    first, second = open_holds(engine, now_us)
    assert (first.request_id, second.request_id) == ("b", "a")
    assert (first.tenant, first.key_id, first.model) == ("acme/search", "k00000000001", "gpt-test")
    assert (first.hold_pusd, first.response_id) == (builders.hold().hold_pusd, None)
    assert first.owner == "alive"
    assert first.host
    assert first.pid
    assert first.has_lease
    assert 0 <= first.age_us < 60_000_000
    assert first.age_us > second.age_us


async def test_an_expired_lease_and_an_owner_that_is_gone(ledger: Ledger, engine: Engine) -> None:
    await ledger.hold(builders.hold(created_at_us=now_us()))
    await ledger.aclose()
    (left,) = open_holds(engine, now_us)  # closing signs the owner off
    assert (left.host, left.pid, left.has_lease) == (None, None, False)
    expired = {"id": "alive", "host": "h", "pid": 7, "started_at_us": 0, "lease_until_us": 1}
    with write_transaction(engine) as connection:
        connection.execute(delete(schema.owner))
        connection.execute(schema.owner.insert().values(**expired))
    (left,) = open_holds(engine, now_us)
    assert (left.host, left.pid, left.has_lease) == ("h", 7, False)
    with write_transaction(engine) as connection:
        connection.execute(update(schema.owner).values(lease_until_us=now_us() + 60_000_000))
    assert open_holds(engine, now_us)[0].has_lease


async def test_a_response_is_found_by_its_name_while_it_is_owed(
    ledger: Ledger, engine: Engine
) -> None:
    hold = await ledger.hold(builders.hold())
    assert open_hold(engine, "resp_1") is None
    await ledger.named(hold.request_id, "resp_1")
    assert open_hold(engine, "resp_1") == hold
    await ledger.settle(builders.exchange(hold=hold))
    assert open_hold(engine, "resp_1") is None
