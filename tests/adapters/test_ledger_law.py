"""The law of budgets, against a model: whatever comes in whatever order, crashes and repeats.

Every batch is written by the statements of the database at hand and must leave what the model
says, which knows no batches, no processes and no database.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, delete

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.docket import Docket
from gateway.adapters.judge import Bench
from gateway.adapters.owners import claim_holds
from gateway.adapters.pipeline import poster_for
from gateway.adapters.posting import Replayed
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, Posting, settled
from gateway.core.budget import Leg, Terms
from gateway.core.exchange import Basis, Exchange, Hold, void
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.ledgermodel import DAY_US, Ask, LedgerModel

Accounts = dict[Leg, tuple[int, bool, int, int, int]]

AT_ONCE = Terms(may_wait=False)
ROWS = (
    schema.hold, schema.entry, schema.usage_hour, schema.budget, schema.budget_period,
    schema.adjustment, schema.alert,
)  # fmt: skip
# Whose, for how long, and for which models. The key's is soft.
BUDGETS = (("acme", "total", None), ("acme/search", "day", None), ("acme", "day", ("gpt-test",)))
COSTS: dict[str, Callable[[int], int | None]] = {
    "below": lambda held: held // 2,
    "at": lambda held: held,
    "above": lambda held: 2 * held + 1,
    "unpriced": lambda _: None,
}
PLACES = st.integers(0, 99)


class Process:
    """What one process knows, and how it writes."""

    def __init__(self, engine: Engine, owner_id: str) -> None:
        self.owner_id = owner_id
        self._engine = engine
        self._bench = Bench(clock=DatabaseClock(now_us), seconds=time.monotonic)
        self._poster = poster_for(engine.dialect)

    def write(self, batch: list[Ask | Exchange], *, is_replay: bool) -> Docket:
        """As the writer does."""
        postings = [self._posting(one) for one in batch]
        try:
            return self._transact(postings, is_replay=is_replay)
        except Replayed:
            self._bench.rolled_back()
            return self._transact(postings, is_replay=True)

    def _transact(self, batch: list[Posting], *, is_replay: bool) -> Docket:
        with write_transaction(self._engine) as connection:
            self._bench.sit(connection)
            return self._poster.apply(connection, batch, judge=self._bench, is_replay=is_replay)

    def _posting(self, one: Ask | Exchange) -> Posting:
        if isinstance(one, Exchange):
            return settled(one)
        row = hold_row(one.hold, owner_id=self.owner_id)
        return Held(row=row, terms=AT_ONCE, is_sent=one.is_sent)


class Law(RuleBasedStateMachine):
    """Two processes on one database, an administrator, and the days that pass."""

    def __init__(self, engine: Engine, key_id: str) -> None:
        super().__init__()
        self._engine = engine
        self._key_id = key_id
        with write_transaction(engine) as connection:
            for table in ROWS:
                connection.execute(delete(table))
        self._budgets = Budgets(engine=engine, now_us=now_us)
        self._model = LedgerModel()
        self._numbers = iter(range(10_000))
        self._processes = [self._process(), self._process()]
        self._dead: list[str] = []
        self._today_us = now_us() // DAY_US * DAY_US - DAY_US
        self._batch_max = 1
        self._batch: list[Ask | Exchange] = []
        self._is_replay = False
        self._asked: dict[str, Ask] = {}
        self._placed: list[Hold] = []
        self._paid: list[Exchange] = []

    def _process(self) -> Process:
        return Process(self._engine, f"owner-{next(self._numbers)}")

    @initialize(batch_max=st.integers(1, 8))
    def begin(self, batch_max: int) -> None:
        self._batch_max = batch_max

    @rule(
        which=st.sampled_from(BUDGETS),
        limit_pusd=st.integers(20, 250),
        is_hard=st.sampled_from([True, True, True, False]),
    )
    def set_limit(self, which: Any, limit_pusd: int, is_hard: bool) -> None:
        self._set(*which, given={"limit_pusd": limit_pusd, "is_hard": is_hard})

    @rule(limit_pusd=st.integers(20, 250))
    def set_soft_limit_of_key(self, limit_pusd: int) -> None:
        self._set(self._key_id, "day", None, given={"limit_pusd": limit_pusd, "is_hard": False})

    def _set(self, subject: str, period: str, models: Any, *, given: Given) -> None:
        self.commit(0)
        budget = self._budgets.set_budget(subject, period=period, models=models, given=given)
        self._model.set_budget(budget, now_us=now_us())
        self._audit()

    @precondition(lambda self: self._model.budgets)
    @rule(at=PLACES)
    def end_budget(self, at: int) -> None:
        self.commit(0)
        budget = self._model.budgets.pop(_picked(sorted(self._model.budgets), at))
        self._budgets.end_budget(budget.subject, period=budget.period, models=budget.models)

    @rule(
        tenant=st.sampled_from(["acme/search", "acme/search/ana", "acme", "beta"]),
        model=st.sampled_from(["gpt-test", "gpt-else"]),
        hold_pusd=st.integers(0, 90),
        is_sent=st.sampled_from([False] * 7 + [True]),
        has_key=st.booleans(),
    )
    def admit(self, tenant: str, model: str, hold_pusd: int, is_sent: bool, has_key: bool) -> None:
        hold = builders.hold(
            request_id=f"r{next(self._numbers):04d}",
            tenant=tenant,
            key_id=self._key_id if has_key else "other",
            model=model,
            hold_pusd=hold_pusd,
            price=replace(builders.CARD, name=model),
            created_at_us=self._today_us + 1,
            legs=None,
        )
        self._asked[hold.request_id] = Ask(hold, is_sent)
        self._queue(self._asked[hold.request_id])

    @precondition(lambda self: self._placed)
    @rule(at=PLACES, cost=st.sampled_from(sorted(COSTS)), knows_legs=st.booleans())
    def settle(self, at: int, cost: str, knows_legs: bool) -> None:
        """Also of what was settled before: by another, as the worst case, as unused."""
        hold = _picked(self._placed, at)
        if not knows_legs:
            hold = replace(hold, legs=None)
        self._pay(builders.exchange(hold=hold, cost_pusd=COSTS[cost](hold.hold_pusd)))

    @precondition(lambda self: self._placed)
    @rule(at=PLACES)
    def leave_unused(self, at: int) -> None:
        self._pay(void(_picked(self._placed, at), now_us(), reason="hold_abandoned"))

    @precondition(lambda self: self._placed)
    @rule(at=PLACES, cost=st.sampled_from(["at", "unpriced"]))
    def guess_the_worst(self, at: int, cost: str) -> None:
        self._pay(_lost(_picked(self._placed, at), COSTS[cost]))

    @rule()
    def let_a_day_pass(self) -> None:
        self._today_us += DAY_US

    @precondition(lambda self: self._asked)
    @rule(at=PLACES)
    def hold_again(self, at: int) -> None:
        """The answer to a commit was lost, or a journal is read twice."""
        self._is_replay = True
        self._queue(_picked(list(self._asked.values()), at))

    @precondition(lambda self: self._paid)
    @rule(at=PLACES)
    def settle_again(self, at: int) -> None:
        self._pay(_picked(self._paid, at))

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        """What was not written is lost, and with it all that the process knew."""
        self._forget_batch()
        self._dead.append(self._processes[which].owner_id)
        self._processes[which] = self._process()

    @precondition(lambda self: self._dead)
    @rule(which=st.integers(0, 1))
    def take_over(self, which: int) -> None:
        """Another settles what a dead process held; that it was only frozen may show later."""
        self.commit(which)
        for hold, _ in claim_holds(self._engine, self._dead.pop(), self._processes[which].owner_id):
            assert hold.legs == self._model.holds[hold.request_id].legs
            self._pay(_lost(hold, COSTS["at"]))
        self.commit(which)

    def _pay(self, exchange: Exchange) -> None:
        self._paid.append(exchange)
        self._queue(exchange)

    def _queue(self, one: Ask | Exchange) -> None:
        self._batch.append(one)
        if len(self._batch) >= self._batch_max:
            self.commit(0)

    def _forget_batch(self) -> None:
        self._batch, self._is_replay = [], False

    @rule(which=st.integers(0, 1))
    def commit(self, which: int) -> None:
        batch, is_replay = self._batch, self._is_replay
        self._forget_batch()
        docket = self._processes[which].write(batch, is_replay=is_replay)
        assert docket.placed == self._model.commit(batch)
        self._placed += [self._model.holds[str(name)] for name in docket.placed]
        self._audit()

    def _audit(self) -> None:
        with self._engine.connect() as connection:
            ledgerview.audit(connection)
            self._compare(connection)

    def _compare(self, connection: Connection) -> None:
        model = self._model
        assert self._telling(ledgerview.accounts(connection)) == self._telling(
            {
                leg: (one.limit, one.is_hard, one.held, one.spent, one.excess)
                for leg, one in model.accounts.items()
            }
        )
        assert ledgerview.ids(connection, schema.hold) == model.holds.keys()
        assert {
            row["request_id"]: (row["basis"], row["cost_pusd"])
            for row in ledgerview.rows(connection, schema.entry)
        } == {name: (one.basis.value, one.cost_pusd) for name, one in model.entries.items()}
        assert ledgerview.corrections(connection) == model.adjustments
        assert {
            (row["budget_id"], row["period_start_us"], row["threshold_pct"])
            for row in ledgerview.rows(connection, schema.alert)
        } == model.alerts

    def _telling(self, accounts: Accounts) -> Accounts:
        """Of a budget that has ended, who has yet to hear it may begin a period: an empty one."""
        in_force = self._model.budgets
        return {leg: one for leg, one in accounts.items() if leg[0] in in_force or any(one[2:])}


def _picked(some: list[Any], at: int) -> Any:
    return some[at % len(some)]


def _lost(hold: Hold, cost: Callable[[int], int | None]) -> Exchange:
    return builders.exchange(
        hold=hold, basis=Basis.WORST_CASE, cost_pusd=cost(hold.hold_pusd), usage=None
    )


@pytest.mark.parametrize("examples", [20, pytest.param(500, marks=pytest.mark.long)])
def test_whatever_comes_the_books_are_the_model_s(engine: Engine, examples: int) -> None:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/search/ana")
    key_id = directory.issue_key("acme/search").id
    run_state_machine_as_test(
        lambda: Law(engine, key_id),  # type: ignore[arg-type]  # "any callable" by its docstring
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )
