"""A tenant begins with what settings give to each new one, or it does not begin."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, event

from gateway.adapters import admin_schema
from gateway.adapters.audit import audit_rows
from gateway.adapters.budgets import Budgets
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies
from gateway.app.tenancy import Begun, begin_tenant
from gateway.config.callers import Tenants
from gateway.core.money import PUSD_PER_USD
from tests.builders import AT_US

GIVEN = Tenants(
    budget_limit_usd="25.00",
    budget_period="day",
    budget_is_hard=False,
    max_output_tokens_default=4096,
)


def now_us() -> int:
    return AT_US


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = open_engine("sqlite://")
    admin_schema.metadata.create_all(opened)
    yield opened
    opened.dispose()


def begin(engine: Engine, path: str, given: Tenants = GIVEN) -> Begun:
    return begin_tenant(engine, path, given=given, now_us=now_us, author="ana")


def test_it_is_given_a_budget_and_a_policy(engine: Engine) -> None:
    begun = begin(engine, "acme/search")
    assert begun.new == ("acme", "acme/search")
    (standing,) = Budgets(engine=engine, now_us=now_us).list_budgets()
    budget = standing.budget
    assert budget == begun.budget
    assert (budget.subject, budget.period, budget.is_hard) == ("acme/search", "day", False)
    assert budget.limit_pusd == 25 * PUSD_PER_USD
    (level,) = Policies(engine=engine, now_us=now_us).levels("acme/search")
    assert (level.subject, level.policy) == ("acme/search", begun.policy)
    assert {row.deed.author for row in audit_rows(engine)} == {"ana"}


def test_what_is_there_stays_as_it_is(engine: Engine) -> None:
    begin(engine, "acme/search", Tenants())
    assert begin(engine, "acme") == Begun(new=())
    assert Budgets(engine=engine, now_us=now_us).list_budgets() == []


def test_it_begins_whole_or_not_at_all(engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def fail(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO policy"):
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        begin(engine, "acme")
    assert Directory(engine=engine, now_us=now_us).list_tenants() == []
