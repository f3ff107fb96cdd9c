"""Budgets as the ledger keeps them: what is held and spent never passes a hard limit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import IntegrityError

from gateway.adapters import schema
from gateway.adapters.changes import BUDGET, record_change
from gateway.adapters.database import write_transaction
from gateway.adapters.docket import Docket
from gateway.adapters.ledger import Ledger
from gateway.adapters.posting import Judge, Posts
from gateway.adapters.work import Posting
from gateway.core.budget import ConcurrencyLimit, Terms
from gateway.core.errors import (
    BudgetExhausted,
    BudgetHeld,
    ConcurrencyExceeded,
    LedgerUnavailable,
    Unbounded,
)
from gateway.core.exchange import Basis
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.budgets import figures, set_budget

AT_ONCE = Terms(may_wait=False)


@pytest.fixture(autouse=True)
def audited(engine: Engine) -> Any:
    yield
    ledgerview.audit(engine)


async def test_what_is_held_is_spent_or_given_back(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    assert [leg[0] for leg in hold.legs or ()] == ["1-org"]
    assert figures(engine) == (60, 0, 0)
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=25))
    assert figures(engine) == (0, 25, 0)
    (entry,) = ledgerview.rows(engine, schema.entry)
    assert "1-org" in entry["legs"]


async def test_a_hold_that_does_not_fit_is_refused_and_told_why(
    engine: Engine, ledger: Ledger
) -> None:
    set_budget(engine, limit_pusd=10**12)
    with pytest.raises(BudgetExhausted) as refused:
        await ledger.hold(builders.hold(hold_pusd=10**12 + 1))
    told = refused.value
    assert told.left_pusd == 10**12
    assert told.retry_after_seconds is not None
    assert "up to 1.000000000001 USD" in told.message
    assert "the budget of acme (a month) has 1.000000000000 USD left" in told.message
    assert figures(engine) == (0, 0, 0)
    assert not ledgerview.rows(engine, schema.hold)


async def test_only_holds_in_the_way_is_another_answer(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    await ledger.hold(builders.hold(hold_pusd=60))
    with pytest.raises(BudgetHeld) as refused:
        await ledger.hold(builders.hold(hold_pusd=60), AT_ONCE)
    assert refused.value.left_pusd == 40


async def test_a_burst_never_passes_the_limit(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    results = await asyncio.gather(
        *(ledger.hold(builders.hold(hold_pusd=7), AT_ONCE) for _ in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, BudgetHeld) for result in results) == 50 - 14
    assert figures(engine) == (98, 0, 0)


async def test_every_budget_on_the_way_counts_all_or_none(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    set_budget(engine, id="2-team", subject="acme/search", limit_pusd=50)
    set_budget(engine, id="9-key", subject="k00000000001", limit_pusd=1000)
    set_budget(engine, id="9-other", subject="acme/other")
    hold = await ledger.hold(builders.hold(hold_pusd=40))
    assert [leg[0] for leg in hold.legs or ()] == ["1-org", "2-team", "9-key"]
    with pytest.raises(BudgetHeld):
        await ledger.hold(builders.hold(hold_pusd=40), AT_ONCE)
    for budget_id in ("1-org", "2-team", "9-key"):
        assert figures(engine, budget_id) == (40, 0, 0)
    await ledger.hold(builders.hold(hold_pusd=60, tenant="acme", key_id="other"))
    assert figures(engine) == (100, 0, 0)


async def test_a_budget_for_models_counts_only_those(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine, models='["gpt-test"]')
    set_budget(engine, id="1-else", models='["gpt-else"]')
    # by the name its price has, whatever name it was asked for by
    await ledger.hold(builders.hold(hold_pusd=60, model="gpt-test-2026-01-01"))
    assert figures(engine) == (60, 0, 0)
    with pytest.raises(ValueError, match="not enough values"):
        figures(engine, "1-else")


async def test_a_soft_budget_counts_and_lets_pass(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine, is_hard=False)
    hold = await ledger.hold(builders.hold(hold_pusd=500))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=400))
    await ledger.hold(builders.hold(hold_pusd=300))
    assert figures(engine) == (300, 400, 0)


async def test_cost_past_the_hold_is_told_and_blocks(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=130))
    assert figures(engine) == (0, 130, 30)
    with pytest.raises(BudgetExhausted):
        await ledger.hold(builders.hold(hold_pusd=1))


async def test_what_has_no_price_keeps_its_hold_spent(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=None))
    assert figures(engine) == (0, 60, 0)


async def test_settling_twice_is_settling_once(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    for _ in range(2):
        await ledger.settle(builders.exchange(hold=hold, cost_pusd=25))
    assert figures(engine) == (0, 25, 0)


async def test_late_truth_corrects_the_worst_case_once(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    lost = builders.exchange(hold=hold, basis=Basis.WORST_CASE, cost_pusd=60, usage=None)
    await ledger.settle(lost)
    assert figures(engine) == (0, 60, 0)
    for _ in range(3):
        await ledger.settle(builders.exchange(hold=hold, cost_pusd=25))
    assert figures(engine) == (0, 25, 0)
    (entry,) = ledgerview.rows(engine, schema.entry)
    assert (entry["basis"], entry["cost_pusd"]) == ("worst_case", 60)
    (adjustment,) = ledgerview.rows(engine, schema.adjustment)
    assert adjustment["delta_pusd"] == -35


async def test_a_settlement_without_its_hold_counts_where_it_belongs(
    engine: Engine, ledger: Ledger
) -> None:
    await ledger.hold(builders.hold(tenant="beta"))
    set_budget(engine)  # which is no news yet to the ledger
    unplaced = builders.hold(hold_pusd=60, legs=None)
    await ledger.settle(builders.exchange(hold=unplaced, cost_pusd=25))
    assert figures(engine) == (0, 25, 0)


async def test_legs_are_pinned_at_admission(engine: Engine, ledger: Ledger) -> None:
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    assert hold.legs == ()
    set_budget(engine)
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=25))
    assert not ledgerview.rows(engine, schema.budget_period)


async def test_a_budget_that_ended_still_counts_what_it_held(
    engine: Engine, ledger: Ledger
) -> None:
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    with write_transaction(engine) as connection:
        connection.execute(update(schema.budget).values(ended_at_us=2))
        record_change(connection, BUDGET, "acme")
    await ledger.hold(builders.hold(hold_pusd=500))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=25))
    assert figures(engine) == (0, 25, 0)


async def test_thresholds_are_noted_once(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine)
    for cost_pusd in (49, 1, 29, 2, 19):
        hold = await ledger.hold(builders.hold(hold_pusd=cost_pusd))
        await ledger.settle(builders.exchange(hold=hold, cost_pusd=cost_pusd))
    alerts = ledgerview.rows(engine, schema.alert)
    assert sorted(alert["threshold_pct"] for alert in alerts) == [50, 80, 100]
    assert {alert["delivered_at_us"] for alert in alerts} == {None}


async def test_without_a_bound_no_hard_budget_may_be_touched(
    engine: Engine, ledger: Ledger
) -> None:
    set_budget(engine)
    terms = Terms(unbounded="name max_tool_calls")
    with pytest.raises(Unbounded, match="name max_tool_calls"):
        await ledger.hold(builders.hold(hold_pusd=1), terms)
    await ledger.hold(builders.hold(hold_pusd=1, tenant="beta"), terms)


async def test_open_holds_are_counted_by_subject(engine: Engine, ledger: Ledger) -> None:
    def of(subject: str) -> Terms:
        return Terms(concurrency=(ConcurrencyLimit(subject=subject, open_max=2),))

    first = await ledger.hold(builders.hold(), of("acme"))
    await ledger.hold(builders.hold(tenant="acme/search/ana"))
    await ledger.hold(builders.hold(tenant="acme-2"), of("acme-2"))
    with pytest.raises(ConcurrencyExceeded):
        await ledger.hold(builders.hold(key_id="other"), of("acme"))
    await ledger.settle(builders.exchange(hold=first))
    results = await asyncio.gather(
        *(ledger.hold(builders.hold(tenant="acme"), of("acme")) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ConcurrencyExceeded) for result in results) == 2


async def test_the_constraint_stops_a_writer_that_does_not_count(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget(engine)
    await ledger.hold(builders.hold(hold_pusd=60))
    monkeypatch.setattr("gateway.core.budget.Account.fits", lambda *_: True)
    with pytest.raises(LedgerUnavailable) as refused:
        await ledger.hold(builders.hold(hold_pusd=60))
    assert isinstance(refused.value.__cause__, IntegrityError) or "never_over" in str(
        refused.value.__cause__
    )
    assert figures(engine) == (60, 0, 0)


class Unheard:
    """A poster whose commit succeeds, and whose answer is lost, once."""

    def __init__(self, poster: Posts) -> None:
        self._poster = poster
        self.is_lost = False

    def at_once(self, *_: object, **__: object) -> None: ...

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge,
        is_replay: bool = False,
    ) -> Docket:
        decided = self._poster.apply(connection, batch, judge=judge, is_replay=is_replay)
        if batch and not self.is_lost:
            self.is_lost = True
            connection.connection.commit()
            raise OSError("the answer was lost")
        return decided


async def test_a_hold_whose_commit_was_lost_is_not_in_its_own_way(
    engine: Engine, ledger: Ledger
) -> None:
    set_budget(engine)
    await ledger.hold(builders.hold(hold_pusd=1))
    ledger._writer._poster = Unheard(ledger._writer._poster)
    hold = await ledger.hold(builders.hold(hold_pusd=90))
    assert hold.legs
    assert figures(engine) == (91, 0, 0)


@pytest.fixture
async def elsewhere(engine: Engine) -> AsyncIterator[Ledger]:
    other = Ledger(engine=engine, owner_id="other", now_us=now_us)
    other.start()
    yield other
    await other.aclose()


async def test_another_process_sees_it_at_once(
    engine: Engine, ledger: Ledger, elsewhere: Ledger
) -> None:
    await elsewhere.hold(builders.hold(hold_pusd=1))
    set_budget(engine)
    hold = await ledger.hold(builders.hold(hold_pusd=60))
    with pytest.raises(BudgetHeld):
        await elsewhere.hold(builders.hold(hold_pusd=60), AT_ONCE)
    waiting = asyncio.ensure_future(elsewhere.hold(builders.hold(hold_pusd=60)))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=20))
    await waiting
    assert figures(engine) == (60, 20, 0)
