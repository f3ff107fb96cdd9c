"""A hard budget binds its tenant, all below it, and the key that it is on; a soft one nobody."""

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.hard_budgets import HardBudgets
from gateway.core.errors import LedgerUnavailable
from tests.builders import AT_US, tenant


def budget(engine: Engine, subject: str, *, is_hard: bool) -> Budgets:
    directory = Directory(engine=engine, now_us=lambda: AT_US)
    directory.create_tenant("acme/search")
    directory.create_tenant("acme/else")
    budgets = Budgets(engine=engine, now_us=lambda: AT_US)
    budgets.set_budget(subject, period="day", given={"limit_pusd": 10**12, "is_hard": is_hard})
    return budgets


@pytest.mark.parametrize("subject", ["acme", "acme/search"])
async def test_a_hard_budget_on_the_way_binds(engine: Engine, subject: str) -> None:
    hard = HardBudgets(engine)
    assert not await hard.bind(tenant())
    budgets = budget(engine, subject, is_hard=True)
    assert await hard.bind(tenant())
    budgets.end_budget(subject, period="day")
    assert not await hard.bind(tenant())


async def test_a_keys_own_binds_it(engine: Engine) -> None:
    directory = Directory(engine=engine, now_us=lambda: AT_US)
    directory.create_tenant("acme/search")
    key = directory.issue_key("acme/search")
    budget(engine, key.id, is_hard=True)
    assert await HardBudgets(engine).bind(tenant(key_id=key.id))
    assert not await HardBudgets(engine).bind(tenant())


async def test_others_and_soft_ones_do_not(engine: Engine) -> None:
    budget(engine, "acme/else", is_hard=True)
    budget(engine, "acme/search", is_hard=False)
    assert not await HardBudgets(engine).bind(tenant())


async def test_nobody_knows_without_the_database(engine: Engine) -> None:
    schema.metadata.drop_all(engine)
    with pytest.raises(LedgerUnavailable):
        await HardBudgets(engine).bind(tenant())
