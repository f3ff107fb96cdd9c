"""What a batch comes to, by what the database told."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from gateway.adapters.docket import Docket, Told, decide
from gateway.adapters.rows import Value, hold_row
from gateway.adapters.work import Held, Posting, in_order, settled
from gateway.core.budget import Account, Budget, Leg, Terms
from gateway.core.errors import BudgetHeld, GatewayError, Unauthorized
from tests import builders

LEG: Leg = ("1-org", 0)
BUDGET = Budget(
    id="1-org",
    subject="acme",
    period="total",
    zone="UTC",
    is_hard=True,
    limit_pusd=100,
    models=None,
)


class Permissive:
    """A judge to whom every key is good enough, but for those that fell."""

    now_us = builders.AT_US
    budgets: Mapping[str, Budget] = {"1-org": BUDGET}

    def __init__(self, *fallen: str) -> None:
        self._fallen = fallen

    def fallen(self, held: Collection[Held]) -> Mapping[Value, GatewayError]:
        return {one.row[0]: Unauthorized() for one in held if one.row[0] in self._fallen}


def account(**given: Any) -> Account:
    fields = {"budget_id": "1-org", "period_start_us": 0, "period_end_us": None, "is_hard": True}
    return Account(**{**fields, "limit_pusd": 100, **given})


def held(name: str, hold_pusd: int = 60, *, is_sent: bool = False, **terms: Any) -> Held:
    row = hold_row(builders.hold(request_id=name, hold_pusd=hold_pusd), owner_id="me")
    return Held(row=row, is_sent=is_sent, terms=Terms(**terms))


def decided(batch: Sequence[Posting], judge: Permissive | None = None, **told: Any) -> Docket:
    work = in_order(batch)
    work.legs = dict.fromkeys([*work.held, *work.settled], (LEG,))
    known = told.pop("account", None) or account()
    return decide(work, Told(accounts={LEG: known}, **told), judge or Permissive())


def test_what_a_settlement_frees_can_be_held_in_the_same_batch() -> None:
    paid = settled(builders.exchange(hold=builders.hold(request_id="a", hold_pusd=60), cost_pusd=1))
    docket = decided([held("b"), paid], account=account(held_pusd=60), gone={"a"}, fresh={"a"})
    assert docket.placed == {"b": (LEG,)}
    (after,) = docket.accounts
    assert (after.held_pusd, after.spent_pusd) == (60, 1)


@pytest.mark.parametrize(
    ("gone", "fresh", "figures"),
    [({"a"}, (), (0, 0)), ((), {"a"}, (60, 1)), ({"a"}, {"a"}, (0, 1))],
)
def test_a_settlement_counts_by_what_was_there(
    gone: Collection[str], fresh: Collection[str], figures: tuple[int, int]
) -> None:
    paid = settled(builders.exchange(hold=builders.hold(request_id="a", hold_pusd=60), cost_pusd=1))
    (after,) = decided([paid], account=account(held_pusd=60), gone=gone, fresh=fresh).accounts
    assert (after.held_pusd, after.spent_pusd) == figures


def test_a_cost_is_posted_though_its_account_is_gone() -> None:
    paid = settled(builders.exchange(hold=builders.hold(request_id="a", hold_pusd=60), cost_pusd=1))
    work = in_order([paid])
    work.legs = {"a": (("1-org", 7), LEG)}  # the first was begun after the database's last backup
    docket = decide(work, Told(accounts={LEG: account()}, fresh={"a"}), Permissive())
    assert [after.spent_pusd for after in docket.accounts] == [1]


def test_of_two_who_want_the_same_money_the_first_has_it() -> None:
    docket = decided([held("a"), held("b")])
    assert list(docket.placed) == ["a"]
    assert isinstance(docket.refused["b"], BudgetHeld)


def test_who_comes_later_does_not_overtake_one_who_waits() -> None:
    batch = [held("large", 70), held("small", 10)]
    refused = decided(batch, account=account(held_pusd=60)).refused
    assert list(refused) == ["large", "small"]
    assert "0.000000000060 are held" in str(refused["small"])
    assert str(refused["small"]).endswith("Others wait for that, and came first.")
    hasty = decided(
        [held("large", 70), held("small", 10, may_wait=False)], account=account(held_pusd=60)
    )
    assert list(hasty.refused) == ["large", "small"]
    error = hasty.refused["small"]
    assert isinstance(error, BudgetHeld)
    assert error.left_pusd == 40, "it would fit, and need not be less"
    left = [held("large", 70, may_wait=False), held("small", 10)]
    assert list(decided(left, account=account(held_pusd=60)).placed) == ["small"]


def test_one_whose_key_fell_takes_nothing() -> None:
    docket = decided([held("a"), held("b")], Permissive("a"))
    assert isinstance(docket.refused["a"], Unauthorized)
    assert list(docket.placed) == ["b"]


def test_what_is_under_way_is_held_whether_it_fits_or_not() -> None:
    docket = decided([held("a", 130, is_sent=True)], Permissive("a"))
    assert list(docket.placed) == ["a"]
    (after,) = docket.accounts
    assert (after.held_pusd, after.excess_pusd) == (130, 30)


def test_what_is_there_is_placed_and_not_written_again() -> None:
    docket = decided([held("a", 130), held("b")], there={"a": (LEG,)}, posted={"b"})
    assert docket.placed == {"a": (LEG,)}
    assert not docket.holds
    assert not docket.accounts


def test_a_budget_that_has_ended_warns_nobody() -> None:
    judge = Permissive()
    judge.budgets = {}
    paid = settled(builders.exchange(hold=builders.hold(request_id="a"), cost_pusd=100))
    assert not decided([paid], judge, fresh={"a"}).alerts
    assert [row[2] for row in decided([paid], fresh={"a"}).alerts] == [50, 80, 100]
