"""Usage told apart by tags is the usage of the hours, told apart."""

from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.adapters import reports
from gateway.adapters.ledger import Ledger
from gateway.core.exchange import Basis
from tests import builders
from tests.builders import AT_US

DAY_US = 86_400_000_000
EVIL = "a\"b\\c.$ team' --"


async def settle(ledger: Ledger, request_id: str, tags: dict[str, str], **fields: Any) -> None:
    hold = builders.hold(request_id=request_id, tags=tags, **fields)
    await ledger.settle(builders.exchange(hold=hold, response_id=f"resp_{request_id}"))


@pytest.fixture
async def filled(ledger: Ledger, engine: Engine) -> Engine:
    await settle(ledger, "a", {"team": "search", "feature": "chat"}, tenant="acme")
    await settle(ledger, "b", {"team": EVIL}, tenant="acme/ads", price=None)
    await settle(ledger, "c", {"team": "search"}, created_at_us=AT_US - DAY_US, tenant="beta")
    hold = builders.hold(request_id="d", hold_pusd=100, tags={"team": "late"})
    await ledger.settle(builders.exchange(hold=hold, basis=Basis.WORST_CASE, cost_pusd=100))
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=30))
    unpriced = builders.hold(request_id="e", price=None)
    await ledger.settle(builders.exchange(hold=unpriced, cost_pusd=None, usage=None))
    return engine


async def test_each_value_is_a_row_and_so_is_none(filled: Engine) -> None:
    rows = {row.tags["team"]: row for row in reports.usage(filled, by=("tag:team",))}
    assert set(rows) == {"search", EVIL, "late", None}
    assert (rows["search"].requests, rows["search"].input_tokens) == (2, 200)
    assert rows["search"].cost_pusd == 2 * 360_000_000
    assert rows["late"].cost_pusd == 30
    assert (rows[None].unpriced, rows[None].cost_pusd, rows[None].input_tokens) == (1, 0, 0)


@pytest.mark.parametrize("by", [(), ("tenant",), ("model", "day"), ("key",)])
async def test_their_sums_are_those_of_the_hours(filled: Engine, by: tuple[str, ...]) -> None:
    for span in ({}, {"since_us": AT_US - 1}, {"until_us": AT_US - DAY_US + 1}, {"tenant": "acme"}):
        asked: dict[str, Any] = {"by": by, **span}
        tagged = reports.usage(filled, **{**asked, "by": (*by, "tag:nobody")})
        found = [{**vars_of(row), "tags": {}} for row in tagged]
        assert found == [vars_of(row) for row in reports.usage(filled, **asked)]


def vars_of(row: reports.UsageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in reports.UsageRow.__slots__}


async def test_tags_go_with_each_other_and_with_all_else(filled: Engine) -> None:
    rows = reports.usage(filled, by=("tag:team", "tenant", "tag:feature"), tenant="acme")
    found = {(row.tags["team"], row.tenant, row.tags["feature"], row.requests) for row in rows}
    assert ("search", "acme", "chat", 1) in found
    assert (EVIL, "acme/ads", None, 1) in found
