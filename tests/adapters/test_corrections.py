"""Late truth corrects what was the worst case, once, and nothing else."""

from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.corrections import Correction, corrections
from gateway.adapters.database import write_transaction
from gateway.adapters.ledger import Ledger
from gateway.adapters.rows import lines_from_text
from gateway.adapters.work import settled
from gateway.core.exchange import Basis, Exchange, Hold
from tests import builders
from tests.fakes import ledgerview


def correct(engine: Engine, hold: Hold, *more: Exchange, **late: Any) -> list[Correction]:
    said = [settled(one) for one in (builders.exchange(hold=hold, **late), *more)]
    with write_transaction(engine) as connection:
        return corrections(connection, said, now_us=7)


async def test_that_nothing_was_used_corrects_too(engine: Engine, ledger: Ledger) -> None:
    hold = await ledger.hold(builders.hold(hold_pusd=100))
    await ledger.settle(builders.exchange(hold=hold, basis=Basis.WORST_CASE, cost_pusd=100))
    (found,) = correct(engine, hold, basis=Basis.NONE, cost_pusd=0)
    assert found.delta_pusd == -100


@pytest.mark.parametrize("basis", [Basis.REPORTED, Basis.RETRIEVED])
async def test_what_the_worst_case_was_off_by(engine: Engine, ledger: Ledger, basis: Basis) -> None:
    hold = await ledger.hold(builders.hold(hold_pusd=100))
    lost = builders.exchange(hold=hold, basis=Basis.WORST_CASE, cost_pusd=100, service_tier=None)
    await ledger.settle(lost)
    other = builders.exchange(hold=hold, cost_pusd=40)
    (found,) = correct(engine, hold, other, basis=basis, cost_pusd=30)
    assert (found.legs, found.delta_pusd, sum(found.counts)) == ((), -70, -70)
    hour = builders.AT_US // schema.HOUR_US
    assert found.cell == (hour, "acme/search", "k00000000001", "gpt-test", "")
    assert correct(engine, hold, cost_pusd=40) == []
    (row,) = ledgerview.rows(engine, schema.adjustment)
    assert (row["kind"], row["delta_pusd"], row["at_us"]) == ("late_truth", -70, 7)
    assert row["price_version"] == builders.CARD.version
    assert [line.meter for line in lines_from_text(row["lines"])] == ["input", "output"]


@pytest.mark.parametrize(
    ("posted", "late"),
    [
        ({"basis": Basis.REPORTED}, {}),
        ({"basis": Basis.NONE, "cost_pusd": 0}, {}),
        ({"basis": Basis.WORST_CASE, "cost_pusd": None}, {}),
        ({"basis": Basis.WORST_CASE}, {"basis": Basis.WORST_CASE}),
        ({"basis": Basis.WORST_CASE}, {"cost_pusd": None}),
    ],
)
async def test_what_is_no_correction(
    engine: Engine, ledger: Ledger, posted: dict[str, Any], late: dict[str, Any]
) -> None:
    hold = await ledger.hold(builders.hold())
    await ledger.settle(builders.exchange(hold=hold, **posted))
    assert correct(engine, hold, **late) == []
    assert not ledgerview.rows(engine, schema.adjustment)
