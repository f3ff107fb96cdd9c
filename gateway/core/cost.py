"""What a usage costs: a line for each meter, and their sum. Integers, multiplied and added.

What has no price is a problem of the cost, never a zero. Not here: which meters there are, and what
a unit of each is priced at (`core.prices`).
"""

from collections.abc import Iterable

from msgspec import Struct

from gateway.core.money import PUSD_MAX

TIER_UNPRICED = "tier_unpriced"
METER_UNPRICED = "meter_unpriced"
WINDOW_UNPRICED = "window_unpriced"
COST_OUT_OF_RANGE = "cost_out_of_range"

Meter = tuple[str, int, int | None]  # name, quantity, picodollars a unit


class CostLine(Struct, frozen=True, kw_only=True):
    """One meter of a cost. Meters are disjoint, so lines add up to the whole."""

    meter: str
    quantity: int
    unit_price_pusd: int
    cost_pusd: int


class Cost(Struct, frozen=True, kw_only=True):
    """What a usage costs. `cost_pusd` is None when a part has no price; the lines known stay."""

    lines: tuple[CostLine, ...]
    cost_pusd: int | None
    problem: str | None = None


def cost_of(meters: Iterable[Meter], problem: str | None = None) -> Cost:
    """The cost of what was counted; None with a problem, from here or from the caller."""
    lines = []
    for meter, quantity, unit in meters:
        if not quantity:
            continue
        if unit is None:
            problem = problem or METER_UNPRICED
            continue
        lines.append(
            CostLine(
                meter=meter, quantity=quantity, unit_price_pusd=unit, cost_pusd=quantity * unit
            )
        )
    total = sum([line.cost_pusd for line in lines])
    if total > PUSD_MAX:
        problem = problem or COST_OUT_OF_RANGE  # nobody can have used that much, or owe it
    return Cost(lines=tuple(lines), cost_pusd=None if problem else total, problem=problem)
