"""Who waits for money that others hold: in turn, not for ever, and without holding anything."""

import asyncio

import pytest
from sqlalchemy import Engine

from gateway.adapters.ledger import Ledger
from gateway.core.errors import BudgetHeld
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes.budgets import figures, set_budget


async def test_it_waits_its_turn_for_what_others_hold(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    first = await ledger.hold(builders.hold(hold_pusd=60))
    large = asyncio.ensure_future(ledger.hold(builders.hold(hold_pusd=70)))
    await asyncio.sleep(0.1)
    small = asyncio.ensure_future(ledger.hold(builders.hold(hold_pusd=30)))
    await asyncio.sleep(0.3)  # longer than a database may take to answer
    assert not large.done()
    assert not small.done(), "it came after, and wants the same money"
    assert ledger.is_healthy
    await ledger.settle(builders.exchange(hold=first, cost_pusd=0))
    await large
    await small
    assert figures(engine) == (100, 0, 0)


async def test_it_does_not_wait_for_ever(engine: Engine) -> None:
    set_budget(engine)
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us, wait_seconds_max=0.05)
    ledger.start()
    await ledger.hold(builders.hold(hold_pusd=60))
    with pytest.raises(BudgetHeld):
        await ledger.hold(builders.hold(hold_pusd=60))
    assert ledger.is_healthy
    await ledger.hold(builders.hold(hold_pusd=40))
    await ledger.aclose()


async def test_where_many_wait_the_last_are_turned_away(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.adapters.writer.WAITING_MAX", 2)
    set_budget(engine)
    first = await ledger.hold(builders.hold(hold_pusd=60))
    waiting = [asyncio.ensure_future(ledger.hold(builders.hold(hold_pusd=50))) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(BudgetHeld):
        await ledger.hold(builders.hold(hold_pusd=50))
    await ledger.settle(builders.exchange(hold=first, cost_pusd=0))
    await asyncio.gather(*waiting)
    assert figures(engine) == (100, 0, 0)


async def test_one_who_leaves_while_waiting_holds_nothing(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    first = await ledger.hold(builders.hold(hold_pusd=60))
    waiting = asyncio.ensure_future(ledger.hold(builders.hold(hold_pusd=60)))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await ledger.settle(builders.exchange(hold=first, cost_pusd=0))
    await ledger.hold(builders.hold(hold_pusd=100))
    assert figures(engine) == (100, 0, 0)


async def test_those_who_wait_when_the_ledger_closes_are_answered(engine: Engine) -> None:
    set_budget(engine)
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    await ledger.hold(builders.hold(hold_pusd=60))
    waiting = asyncio.ensure_future(ledger.hold(builders.hold(hold_pusd=60)))
    await asyncio.sleep(0.1)
    await ledger.aclose()
    with pytest.raises(BudgetHeld):
        await waiting
