"""The law of budgets, against a model: whatever comes in whatever order, crashes and repeats.

A batch must leave what the model says, which knows no batches, no processes and no database.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

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
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.owners import claim_holds
from gateway.adapters.repricing import reprice
from gateway.core.budget import Leg
from gateway.core.exchange import Basis, Exchange, Hold, void
from gateway.core.price_book import PriceBook
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.ledgermodel import DAY_US, Ask, LedgerModel
from tests.fakes.ledgerprocess import Process

pytestmark = pytest.mark.usefixtures("full_speed")

T = TypeVar("T")
Accounts = dict[Leg, tuple[int, bool, int, int, int]]

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
PLACES = st.integers(0, 5)  # from the newest: what is told of one thing comes close together


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
        self._owners: dict[str, str] = {}
        self._paid: list[Exchange] = []

    def _process(self) -> Process:
        return Process(self._engine, f"owner-{next(self._numbers)}")

    @initialize(
        batch_max=st.integers(1, 6),
        limits=st.permutations([100, 200, 300]),
        count=st.integers(1, 3),
    )
    def begin(self, batch_max: int, limits: list[int], count: int) -> None:
        self._batch_max = batch_max
        for which, limit_pusd in list(zip(BUDGETS, limits, strict=True))[:count]:
            self._set(*which, given={"limit_pusd": limit_pusd, "is_hard": True})

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
    @rule(at=PLACES, is_replaced=st.booleans())
    def end_budget(self, at: int, is_replaced: bool) -> None:
        """What it holds still counts there, and not in what takes its place."""
        self.commit(0)
        budget = self._model.budgets.pop(_picked(list(self._model.budgets), at))
        self._budgets.end_budget(budget.subject, period=budget.period, models=budget.models)
        if is_replaced:
            given: Given = {"limit_pusd": budget.limit_pusd, "is_hard": budget.is_hard}
            self._set(budget.subject, budget.period, budget.models, given=given)

    @rule(
        tenant=st.sampled_from(["acme/search", "acme/search", "acme", "beta"]),
        model=st.sampled_from(["gpt-test", "gpt-else"]),
        hold_pusd=st.integers(0, 90),
        is_sent=st.sampled_from([False] * 9 + [True]),
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
        hold = self._hold(at)
        if not knows_legs:
            hold = replace(hold, legs=None)
        self._pay(builders.exchange(hold=hold, cost_pusd=COSTS[cost](hold.hold_pusd)))

    @precondition(lambda self: self._placed)
    @rule(at=PLACES)
    def leave_unused(self, at: int) -> None:
        self._pay(void(self._hold(at), now_us(), reason="hold_abandoned"))

    @precondition(lambda self: self._placed)
    @rule(
        at=PLACES,
        guess=st.sampled_from(["at", "at", "unpriced"]),
        truth=st.sampled_from(sorted(COSTS)),
        times=st.integers(0, 2),
    )
    def guess_the_worst(self, at: int, guess: str, truth: str, times: int) -> None:
        """The truth may come later, or twice, or never."""
        hold = self._hold(at)
        self._pay(_lost(hold, COSTS[guess]))
        for _ in range(times):
            self._pay(builders.exchange(hold=hold, cost_pusd=COSTS[truth](hold.hold_pusd)))

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
        dead = self._dead.pop()
        heir = self._processes[which].owner_id
        found = claim_holds(self._engine, dead, heir)
        owned = {name for name in self._model.holds if self._owners[name] == dead}
        assert {hold.request_id for hold, _ in found} == owned
        self._owners.update(dict.fromkeys(owned, heir))  # who may die in turn
        for hold, _ in sorted(found, key=lambda one: one[0].request_id):
            self._pay(_lost(hold, COSTS["at"]))

    @rule(output_pusd=st.integers(0, 5))
    def reprice(self, output_pusd: int) -> None:
        """The price of what had none arrives."""
        self.commit(0)
        reprice(self._engine, _book(output_pusd), now_us=now_us())
        self._model.reprice(builders.usage().output_tokens * output_pusd)
        self._audit()

    def _hold(self, at: int) -> Hold:
        """One that is open, or the newest of all."""
        is_open = [one for one in self._placed if one.request_id in self._model.holds]
        return _picked(is_open if at and is_open else self._placed, at)

    def _pay(self, exchange: Exchange) -> None:
        self._paid.append(exchange)
        self._queue(exchange)

    def _queue(self, one: Ask | Exchange) -> None:
        self._batch.append(one)
        if len(self._batch) >= self._batch_max:
            self.commit(len(self._asked) % 2)

    def _forget_batch(self) -> None:
        self._batch, self._is_replay = [], False

    @rule(which=st.integers(0, 1))
    def commit(self, which: int) -> None:
        batch, is_replay = self._batch, self._is_replay
        self._forget_batch()
        process = self._processes[which]
        docket = process.write(batch, is_replay=is_replay)
        assert docket.placed == self._model.commit(batch)
        for name in docket.placed:
            self._owners.setdefault(str(name), process.owner_id)
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


def _picked(some: list[T], at: int) -> T:
    return some[-1 - at % len(some)]


def _book(output_pusd: int) -> PriceBook:
    tier = builders.CARD.tiers["default"]
    tier = replace(tier, short=replace(tier.short, input=0, output=output_pusd))
    return PriceBook(version="", cards={"gpt-test": (builders.price(tiers={"default": tier}),)})


def _lost(hold: Hold, cost: Callable[[int], int | None]) -> Exchange:
    return builders.exchange(
        hold=hold, basis=Basis.WORST_CASE, cost_pusd=cost(hold.hold_pusd), usage=None
    )


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.long)])
def test_whatever_comes_the_books_are_the_model_s(engine: Engine, examples: int) -> None:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/search/ana")
    key_id = directory.issue_key("acme/search").id
    run_state_machine_as_test(
        lambda: Law(engine, key_id),  # type: ignore[arg-type]  # "any callable" by its docstring
        settings=settings(max_examples=examples, stateful_step_count=60, deadline=None),
    )
