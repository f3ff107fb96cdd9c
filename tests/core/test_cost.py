"""A cost: lines that are disjoint and add up, or a problem in place of a sum."""

from gateway.core.cost import CostLine, cost_of
from gateway.core.money import PUSD_MAX


def test_each_meter_is_a_line_and_the_sum_is_the_cost() -> None:
    cost = cost_of([("input", 3, 5), ("output", 2, 7)])
    assert cost.lines == (
        CostLine(meter="input", quantity=3, unit_price_pusd=5, cost_pusd=15),
        CostLine(meter="output", quantity=2, unit_price_pusd=7, cost_pusd=14),
    )
    assert (cost.cost_pusd, cost.problem) == (29, None)


def test_what_was_not_used_needs_no_price() -> None:
    assert cost_of([("input", 0, None), ("output", 0, 5)]).cost_pusd == 0


def test_what_was_used_without_a_price_leaves_no_sum() -> None:
    cost = cost_of([("input", 1, 5), ("new", 1, None)])
    assert [line.meter for line in cost.lines] == ["input"]
    assert (cost.cost_pusd, cost.problem) == (None, "meter_unpriced")


def test_the_first_problem_stays() -> None:
    assert cost_of([("new", 1, None)], "tier_unpriced").problem == "tier_unpriced"


def test_a_sum_beyond_what_can_be_kept_is_none() -> None:
    assert cost_of([("input", PUSD_MAX, 1)]).cost_pusd == PUSD_MAX
    cost = cost_of([("input", PUSD_MAX, 1), ("output", 1, 1)])
    assert (cost.cost_pusd, cost.problem) == (None, "cost_out_of_range")
