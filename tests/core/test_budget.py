"""What fits an account, what settling does to it, and what is said where something does not fit."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.budget import (
    ANY_TERMS,
    FIGURE_PUSD_MAX,
    LIMIT_PUSD_MAX,
    Account,
    Budget,
    Terms,
    budget_name,
    obstacle,
)
from gateway.core.errors import BudgetExhausted, BudgetHeld, GatewayError, Unbounded

NOW_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC
ENDS_US = NOW_US + 90_000_000
USD = 10**12


def budget(**given: Any) -> Budget:
    fields = {
        "id": "1-org",
        "subject": "acme",
        "period": "month",
        "zone": "UTC",
        "is_hard": True,
        "limit_pusd": 100,
        "models": None,
    }
    return Budget(**{**fields, **given})


def account(**given: Any) -> Account:
    fields = {
        "budget_id": "1-org",
        "period_start_us": 0,
        "period_end_us": ENDS_US,
        "is_hard": True,
        "limit_pusd": 100,
    }
    return Account(**{**fields, **given})


def refused(accounts: list[Account], hold_pusd: int, terms: Terms = ANY_TERMS) -> GatewayError:
    budgets = {one.budget_id: budget(id=one.budget_id) for one in accounts}
    error = obstacle(accounts, hold_pusd, budgets=budgets, terms=terms, now_us=NOW_US)
    assert error is not None
    return error


def test_a_budget_covers_its_models_by_any_name() -> None:
    assert budget().covers(["any"])
    assert budget(models=("a", "b")).covers(["x", "b"])
    assert not budget(models=("a", "b")).covers(["x"])


@given(st.data())
def test_a_hard_limit_is_passed_by_truth_alone(data: st.DataObject) -> None:
    one = account(limit_pusd=data.draw(st.integers(0, 1000)))
    held: list[int] = []
    for _ in range(data.draw(st.integers(1, 30))):
        if held and data.draw(st.sampled_from([0, 1])):
            hold_pusd = held.pop()
            one.resolve(held_pusd=hold_pusd, cost_pusd=data.draw(st.integers(0, hold_pusd)))
        elif one.fits(hold_pusd := data.draw(st.integers(0, 400))):
            one.hold(hold_pusd)
            held.append(hold_pusd)
        assert one.spent_pusd + one.held_pusd <= one.limit_pusd
        assert one.held_pusd == sum(held)
        assert one.excess_pusd == 0
    if held:
        one.resolve(held_pusd=held[0], cost_pusd=one.limit_pusd + 7)
        assert one.excess_pusd == one.spent_pusd + one.held_pusd - one.limit_pusd
        assert one.left_pusd == 0


def test_no_figure_leaves_the_columns() -> None:
    assert LIMIT_PUSD_MAX + FIGURE_PUSD_MAX < 2**63
    soft = account(is_hard=False)
    assert soft.fits(LIMIT_PUSD_MAX)
    soft.hold(LIMIT_PUSD_MAX)
    assert not soft.fits(LIMIT_PUSD_MAX)
    soft.resolve(held_pusd=LIMIT_PUSD_MAX, cost_pusd=2 * FIGURE_PUSD_MAX)
    assert soft.spent_pusd == FIGURE_PUSD_MAX
    assert soft.excess_pusd == 0


@pytest.mark.parametrize(
    ("before", "cost", "crossed"),
    [(0, 49, []), (49, 1, [50]), (0, 100, [50, 80, 100]), (50, 29, []), (90, 500, [100])],
)
def test_a_threshold_is_crossed_by_what_reaches_it(
    before: int, cost: int, crossed: list[int]
) -> None:
    one = account(spent_pusd=before)
    one.resolve(held_pusd=0, cost_pusd=cost)
    assert list(one.crossed(budget(), spent_before_pusd=before)) == crossed


def test_what_fits_meets_no_obstacle() -> None:
    accounts = [account(held_pusd=40), account(budget_id="2", held_pusd=60)]
    assert obstacle(accounts, 40, budgets={}, terms=ANY_TERMS, now_us=NOW_US) is None


def test_what_waiting_cannot_mend_comes_first() -> None:
    held, spent = account(budget_id="1", held_pusd=100), account(budget_id="2", spent_pusd=90)
    error = refused([held, spent], 20)
    assert isinstance(error, BudgetExhausted)
    assert error.left_pusd == 0
    assert error.retry_after_seconds == 90
    assert isinstance(refused([held], 20), BudgetHeld)


def test_a_budget_that_never_resets_says_so() -> None:
    error = refused([account(spent_pusd=90, period_end_us=None)], 20)
    assert error.retry_after_seconds is None
    assert error.message.endswith("It does not reset.")


def test_the_reason_reads_like_a_sentence() -> None:
    one = account(limit_pusd=25 * USD, spent_pusd=24 * USD, held_pusd=USD // 2)
    assert refused([one], USD).message == (
        "This request may cost up to 1.000000000000 USD, and the budget of acme (a month) has "
        "0.500000000000 USD left: of 25.000000000000 USD, 24.000000000000 are spent and "
        "0.500000000000 are held for requests that are under way. "
        "It resets at 2026-11-22T12:01:30Z."
    )


def test_a_budget_for_models_names_them() -> None:
    found = obstacle(
        [account(spent_pusd=100)],
        1,
        budgets={"1-org": budget(models=("gpt-6-sol", "gpt-6-luna"), period="total")},
        terms=ANY_TERMS,
        now_us=NOW_US,
    )
    assert found is not None
    assert "acme for gpt-6-sol, gpt-6-luna (in total)" in found.message


UNBOUNDED = Terms(unbounded="send max_tool_calls")


@pytest.mark.parametrize(
    ("make", "is_refused"), [(account, True), (lambda: account(is_hard=False), False)]
)
def test_only_a_hard_budget_needs_a_bound(make: Callable[[], Account], is_refused: bool) -> None:
    if is_refused:
        assert isinstance(refused([make()], 1, UNBOUNDED), Unbounded)
    else:
        assert obstacle([make()], 1, budgets={}, terms=UNBOUNDED, now_us=NOW_US) is None


@pytest.mark.parametrize(
    ("models", "name"), [(None, "month"), (("a",), "month:a"), (("a", "b"), "month:a+b")]
)
def test_a_name_tells_the_budgets_of_a_subject_apart(
    models: tuple[str, ...] | None, name: str
) -> None:
    assert budget_name("month", models) == name
