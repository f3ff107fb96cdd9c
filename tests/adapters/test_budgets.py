"""Budgets as administrators set them."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, select

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets, BudgetUnknown, Given
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.policies import SubjectUnknown
from gateway.adapters.standings import Standing
from gateway.core.budget import LIMIT_PUSD_MAX, Budget, Terms
from gateway.core.errors import BudgetHeld
from gateway.core.period import period_at
from tests import builders
from tests.adapters.conftest import now_us

USD = 10**12
AT_ONCE = Terms(may_wait=False)
Spend = Callable[..., None]


@pytest.fixture
def key_id(engine: Engine) -> str:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/search")
    return directory.issue_key("acme/search").id


@pytest.fixture
def budgets(engine: Engine, key_id: str) -> Budgets:
    return Budgets(engine=engine, now_us=now_us)


@pytest.fixture
def spend(engine: Engine) -> Spend:
    """Begins the current period of a budget with these figures, as a hold would."""

    def run(budget: Budget, *, spent: int = 0, held: int = 0) -> None:
        period = period_at(budget.period, budget.zone, now_us())
        with write_transaction(engine) as connection:
            connection.execute(
                insert(schema.budget_period).values(
                    budget_id=budget.id,
                    period_start_us=period.start_us,
                    period_end_us=period.end_us,
                    is_hard=budget.is_hard,
                    limit_pusd=budget.limit_pusd,
                    held_pusd=held * USD,
                    spent_pusd=spent * USD,
                    excess_pusd=0,
                )
            )

    return run


def limit(budgets: Budgets, subject: str = "acme", usd: int = 10, **given: object) -> Budget:
    said: Given = {"limit_pusd": usd * USD, **given}  # type: ignore[typeddict-item]
    return budgets.set_budget(subject, period="month", given=said)


def only(budgets: Budgets) -> Standing:
    (found,) = budgets.list_budgets()
    return found


def figures(budgets: Budgets) -> tuple[bool, int, int, int]:
    """Of the only budget: hard, limit, excess, left, in whole USD."""
    account = only(budgets).account
    return (
        account.is_hard,
        account.limit_pusd // USD,
        account.excess_pusd // USD,
        account.left_pusd // USD,
    )


def changes(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(schema.change.c.kind, schema.change.c.subject))
        return [(kind, subject) for kind, subject in rows]


def test_a_new_budget_is_hard_and_of_utc(budgets: Budgets, key_id: str) -> None:
    made = limit(budgets)
    assert (made.is_hard, made.zone, made.models) == (True, "UTC", None)
    assert made.thresholds_pct == (50, 80, 100)
    found = only(budgets)
    assert (found.budget, found.tenant) == (made, "acme")
    assert found.account.left_pusd == 10 * USD


def test_its_id_tells_how_deep_it_is(budgets: Budgets, key_id: str) -> None:
    for subject, depth in (("acme", "1-"), ("acme/search", "2-"), (key_id, "9-")):
        assert limit(budgets, subject).id.startswith(depth)


def test_what_is_not_given_stays_as_it_is(budgets: Budgets) -> None:
    first = limit(budgets, zone="Asia/Tokyo", is_hard=False, thresholds_pct=(90, 10, 90))
    assert first.thresholds_pct == (10, 90)
    again = budgets.set_budget("acme", period="month", given={"limit_pusd": 20 * USD})
    assert again == only(budgets).budget
    assert (again.id, again.zone, again.is_hard) == (first.id, "Asia/Tokyo", False)
    assert (again.limit_pusd, again.thresholds_pct) == (20 * USD, (10, 90))
    assert budgets.set_budget("acme", period="month", given={"is_hard": True}).limit_pusd == (
        20 * USD
    )


def test_budgets_are_told_apart_by_period_and_models(budgets: Budgets, key_id: str) -> None:
    for subject, period, models in (
        (key_id, "total", None),
        ("acme/search", "day", ["b", "a"]),
        ("acme/search", "day", None),
        ("acme", "month", None),
        ("acme", "day", ["a"]),
    ):
        given: Given = {"limit_pusd": USD}
        budgets.set_budget(subject, period=period, models=models, given=given)
    budgets.set_budget("acme/search", period="day", models=["a", "b", "a"], given={"is_hard": True})
    found = [
        (one.tenant, one.budget.subject, one.budget.period, one.budget.models)
        for one in budgets.list_budgets()
    ]
    assert found == [
        ("acme", "acme", "day", ("a",)),
        ("acme", "acme", "month", None),
        ("acme/search", "acme/search", "day", None),
        ("acme/search", "acme/search", "day", ("a", "b")),
        ("acme/search", key_id, "total", None),
    ]
    assert [one.budget.subject for one in budgets.list_budgets(key_id)] == [key_id]
    on_way = {one.budget.name for one in budgets.list_on_way(key_id, {"b", "c"})}
    assert on_way == {"month", "day", "day:a+b", "total"}
    assert {one.budget.name for one in budgets.list_on_way("acme", {"a"})} == {"day:a", "month"}


def test_a_lowered_limit_stops_what_is_new_and_breaks_nothing(
    budgets: Budgets, spend: Spend
) -> None:
    spend(limit(budgets), spent=6, held=2)
    assert figures(budgets) == (True, 10, 0, 2)
    limit(budgets, usd=5)
    assert figures(budgets) == (True, 5, 3, 0)
    limit(budgets, usd=7)
    assert figures(budgets) == (True, 7, 1, 0)
    limit(budgets, usd=12)
    assert figures(budgets) == (True, 12, 0, 4)


def test_soft_becomes_hard_and_soft_again(budgets: Budgets, spend: Spend) -> None:
    spend(limit(budgets, is_hard=False), spent=15, held=2)
    assert figures(budgets) == (False, 10, 0, 0)
    limit(budgets, is_hard=True)
    assert figures(budgets) == (True, 10, 7, 0)
    limit(budgets, is_hard=False)
    assert figures(budgets) == (False, 10, 0, 0)


def test_a_new_zone_leaves_the_current_period_its_end(budgets: Budgets, spend: Spend) -> None:
    spend(limit(budgets), spent=1)
    before = only(budgets).account
    limit(budgets, zone="Pacific/Auckland")
    assert only(budgets).account == before


def test_thresholds_that_a_lowered_limit_crosses_are_told_once(
    budgets: Budgets, spend: Spend, engine: Engine
) -> None:
    spend(limit(budgets), spent=4)
    for usd in (8, 5, 20, 5):
        limit(budgets, usd=usd)
    limit(budgets, usd=0)
    with engine.connect() as connection:
        alerts = connection.execute(select(schema.alert).order_by(schema.alert.c.threshold_pct))
        assert [(row.threshold_pct, row.delivered_at_us, row.attempts) for row in alerts] == [
            (50, None, 0),
            (80, None, 0),
        ]


def test_an_ended_budget_is_no_more_and_its_figures_stay(
    budgets: Budgets, spend: Spend, engine: Engine
) -> None:
    first = limit(budgets)
    spend(first, spent=3)
    budgets.end_budget("acme", period="month")
    assert budgets.list_budgets() == []
    with engine.connect() as connection:
        assert connection.scalar(select(schema.budget_period.c.spent_pusd)) == 3 * USD
    assert limit(budgets).id != first.id
    assert only(budgets).account.spent_pusd == 0


def test_only_what_is_named_ends(budgets: Budgets) -> None:
    limit(budgets)
    budgets.set_budget("acme", period="month", models=["b", "a"], given={"limit_pusd": 1})
    with pytest.raises(BudgetUnknown, match="acme has no budget 'day'"):
        budgets.end_budget("acme", period="day")
    with pytest.raises(BudgetUnknown, match="acme has no budget 'month:a'"):
        budgets.end_budget("acme", period="month", models=["a"])
    budgets.end_budget("acme", period="month", models=["a", "b"])
    assert only(budgets).budget.models is None


def test_every_change_is_in_the_log(budgets: Budgets, engine: Engine, key_id: str) -> None:
    before = changes(engine)
    limit(budgets, key_id)
    limit(budgets, key_id, usd=11)
    budgets.end_budget(key_id, period="month")
    assert changes(engine) == [*before, *[("budget", key_id)] * 3]


MISTAKES: list[tuple[dict[str, object], list[str] | None, str]] = [
    ({"limit_pusd": LIMIT_PUSD_MAX + 1}, None, "from 0 to 4,000,000 USD a period"),
    ({"limit_pusd": -1}, None, "from 0 to 4,000,000 USD a period"),
    ({"limit_pusd": 1, "zone": "Berlin"}, None, "did you mean 'Europe/Berlin'"),
    ({"limit_pusd": 1, "thresholds_pct": (0,)}, None, "a threshold is from 1 to 1000 percent"),
    ({"limit_pusd": 1}, [], "a budget's models are names without spaces"),
    ({"limit_pusd": 1}, ["a b"], "a budget's models are names without spaces"),
    ({}, ["a"], "acme has no budget 'month:a' yet: a new one needs a limit"),
]


@pytest.mark.parametrize(("given", "models", "words"), MISTAKES)
def test_a_mistake_changes_nothing(
    budgets: Budgets,
    engine: Engine,
    given: Given,
    models: list[str] | None,
    words: str,
) -> None:
    limit(budgets)
    before = budgets.list_budgets(), changes(engine)
    with pytest.raises(ValueError, match=words):
        budgets.set_budget("acme", period="month", models=models, given=given)
    assert (budgets.list_budgets(), changes(engine)) == before


def test_the_greatest_limit_is_taken(budgets: Budgets) -> None:
    limit(budgets, usd=4_000_000)
    assert only(budgets).account.left_pusd == LIMIT_PUSD_MAX


def test_a_period_must_be_one(budgets: Budgets) -> None:
    with pytest.raises(ValueError, match="'year' is no period"):
        budgets.set_budget("acme", period="year", given={"limit_pusd": 1})


def test_a_subject_must_be_there(budgets: Budgets) -> None:
    for ask in (
        budgets.list_budgets,
        lambda name: limit(budgets, name),
        lambda name: budgets.end_budget(name, period="month"),
    ):
        with pytest.raises(SubjectUnknown, match="there is no tenant and no key 'acme/none'"):
            ask("acme/none")


async def test_a_new_limit_binds_at_the_next_hold(budgets: Budgets, ledger: Ledger) -> None:
    limit(budgets, usd=10)
    first = await ledger.hold(builders.hold(hold_pusd=6 * USD, created_at_us=now_us()))
    limit(budgets, usd=5)
    with pytest.raises(BudgetHeld):
        await ledger.hold(builders.hold(hold_pusd=1, created_at_us=now_us()), AT_ONCE)
    await ledger.settle(builders.exchange(hold=first, cost_pusd=4 * USD))
    limit(budgets, usd=8)
    await ledger.hold(builders.hold(hold_pusd=4 * USD, created_at_us=now_us()))
    account = only(budgets).account
    assert (account.spent_pusd, account.held_pusd) == (4 * USD, 4 * USD)
    assert (account.left_pusd, account.excess_pusd) == (0, 0)
    budgets.end_budget("acme", period="month")
    free = await ledger.hold(builders.hold(hold_pusd=9 * USD, created_at_us=now_us()))
    assert free.legs == ()


def test_two_administrators_at_once_make_one_budget(budgets: Budgets, engine: Engine) -> None:
    ready = threading.Barrier(4)

    def set_limit(usd: int) -> None:
        ready.wait()
        limit(budgets, usd=usd)

    threads = [threading.Thread(target=set_limit, args=(usd,)) for usd in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert only(budgets).budget.limit_pusd // USD in range(1, 5)
