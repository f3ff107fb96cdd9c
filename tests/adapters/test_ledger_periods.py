"""Where a budget's period ends and the next begins, to the second, through days of other lengths.

The edges are written out as the zones' rules give them, so that nothing here computes them.
"""

from datetime import datetime

import pytest
from sqlalchemy import Engine

from gateway.adapters.ledger import Ledger
from gateway.core.budget import Terms
from gateway.core.errors import BudgetExhausted, BudgetHeld
from tests import builders
from tests.fakes import ledgerview
from tests.fakes.budgets import set_budget

SECOND_US = 1_000_000
AT_ONCE = Terms(may_wait=False)
EDGES = [
    # 23 hours: the clock is set forward at 02:00
    ("Europe/Berlin", "day", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
    # 25 hours: the clock is set back at 02:00
    ("America/New_York", "day", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    # the clock is set forward at midnight, which that day does not have
    ("America/Santiago", "day", "2026-09-06T04:00Z", "2026-09-07T03:00Z"),
    # the clock is set back at 01:00, and that day has two midnights
    ("America/Havana", "day", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    # half an hour
    ("Australia/Lord_Howe", "day", "2026-10-03T13:30Z", "2026-10-04T13:00Z"),
    ("America/New_York", "week", "2026-10-26T04:00Z", "2026-11-02T05:00Z"),
    ("Europe/Berlin", "month", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
]


@pytest.mark.parametrize(("zone", "period", "start", "end"), EDGES)
async def test_a_request_counts_in_the_period_of_its_admission(
    engine: Engine, ledger: Ledger, zone: str, period: str, start: str, end: str
) -> None:
    budget_id = set_budget(engine, zone=zone, period=period, limit_pusd=100)
    start_us, end_us = _us(start), _us(end)
    admitted = {
        start_us - SECOND_US: 100,
        start_us: 60,
        end_us - SECOND_US: 40,
        end_us: 100,
    }
    holds = [
        await ledger.hold(builders.hold(hold_pusd=amount, created_at_us=at_us))
        for at_us, amount in admitted.items()
    ]
    for at_us in (start_us, end_us - 1):
        with pytest.raises(BudgetHeld):
            await ledger.hold(builders.hold(hold_pusd=1, created_at_us=at_us), AT_ONCE)
    for hold in holds:  # all after the edge
        await ledger.settle(builders.exchange(hold=hold, cost_pusd=hold.hold_pusd))
    with pytest.raises(BudgetExhausted):
        await ledger.hold(builders.hold(hold_pusd=1, created_at_us=end_us - 1))
    figures = ledgerview.accounts(engine)
    assert figures[budget_id, start_us] == (100, True, 0, 100, 0)
    assert figures[budget_id, end_us] == (100, True, 0, 100, 0)
    assert len(figures) == 3
    ledgerview.audit(engine)


def _us(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp()) * SECOND_US
