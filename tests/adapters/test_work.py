"""A batch by kind, and what a posting says of itself."""

from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, Opened, added_up, in_order, settled
from gateway.core.budget import ConcurrencyLimit, Terms
from gateway.core.exchange import Basis
from tests import builders

LEGS = (("1-org", 0), ("9-key", 5))


def held(**fields: object) -> Held:
    return Held(row=hold_row(builders.hold(**fields), owner_id="me"))


def test_of_several_with_one_id_the_first_counts() -> None:
    first, second = held(request_id="a", hold_pusd=1), held(request_id="a", hold_pusd=2)
    work = in_order([first, Opened(request_id="a", response_id="resp_1"), second])
    assert work.held == {"a": first}
    assert work.opened == {"a": "resp_1"}


def test_a_settlement_that_comes_again_in_the_same_batch_is_late() -> None:
    guess, truth = (
        settled(builders.exchange(hold=builders.hold(request_id="a"), basis=basis))
        for basis in (Basis.WORST_CASE, Basis.REPORTED)
    )
    work = in_order([guess, truth])
    assert work.settled == {"a": guess}
    assert work.late(fresh={"a"}) == [truth]
    assert work.late(fresh=()) == [guess, truth]


def test_settlements_are_in_the_order_of_their_ids() -> None:
    batch = [settled(builders.exchange(hold=builders.hold(request_id=name))) for name in "bca"]
    assert list(in_order(batch).settled) == ["a", "b", "c"]


def test_a_claim_knows_the_model_by_all_its_names() -> None:
    asked = held(model="gpt-test-2026-01-01").claim
    assert asked.models == {"gpt-test", "gpt-test-2026-01-01"}
    assert (asked.tenant, asked.key_id, asked.at_us) == (
        "acme/search",
        "k00000000001",
        builders.AT_US,
    )
    assert held(price=None).claim.models == {"gpt-test"}
    posted = settled(builders.exchange(hold=builders.hold(model="gpt-test-2026-01-01")))
    assert posted.claim == asked


def test_legs_are_written_where_they_were_not_known() -> None:
    assert settled(builders.exchange(hold=builders.hold(legs=None))).legs is None
    posted = settled(builders.exchange(hold=builders.hold(legs=LEGS)))
    assert posted.legs == LEGS
    assert posted.posted_row(LEGS) == posted.row
    known = builders.hold(request_id="a", legs=LEGS)
    assert held(request_id="a").placed_row(LEGS) == hold_row(known, owner_id="me")


def test_a_cost_that_is_not_known_keeps_its_hold_spent() -> None:
    hold = builders.hold(hold_pusd=70)
    assert settled(builders.exchange(hold=hold, cost_pusd=None)).spent_pusd == 70
    assert settled(builders.exchange(hold=hold, cost_pusd=0)).spent_pusd == 0


def test_rows_are_locked_in_one_order() -> None:
    work = in_order([])
    work.legs = {"b": (("9-key", 5),), "a": LEGS}
    assert work.accounts() == [("1-org", 0), ("9-key", 5)]


def test_whose_open_holds_are_counted() -> None:
    limits = (ConcurrencyLimit(subject="b", open_max=1), ConcurrencyLimit(subject="a", open_max=1))
    row = hold_row(builders.hold(), owner_id="me")
    assert in_order([Held(row=row, terms=Terms(concurrency=limits))]).limited() == ["a", "b"]


def test_hours_are_added_up_in_the_order_of_their_keys() -> None:
    assert added_up([((2, "b"), (1, 2)), ((1, "z"), (5, 5)), ((2, "b"), (3, -4))]) == [
        (1, "z", 5, 5),
        (2, "b", 4, -2),
    ]
