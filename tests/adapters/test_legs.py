"""Which budgets a request counts against, and in which of their periods."""

from typing import Any

import pytest
from sqlalchemy import Engine, delete, update

from gateway.adapters import schema
from gateway.adapters.changes import BUDGET, KEY, Change, News
from gateway.adapters.database import write_transaction
from gateway.adapters.legs import Legs
from gateway.adapters.work import Claim
from gateway.core.budget import Leg
from tests import builders
from tests.fakes import ledgerview
from tests.fakes.budgets import set_budget

DAY_US = 86_400_000_000
NOON_US = builders.AT_US


def claim(**given: Any) -> Claim:
    fields = {
        "tenant": "acme/search",
        "key_id": "k00000000001",
        "model": "gpt-test",
        "priced_model": None,
        "at_us": NOON_US,
    }
    return Claim(**{**fields, **given})


def found(engine: Engine, legs: Legs, asked: Claim) -> tuple[Leg, ...]:
    with write_transaction(engine) as connection:
        legs.refresh(connection)
        return legs.look_up(connection, asked)


def test_every_budget_above_the_key_in_the_order_of_locks(engine: Engine) -> None:
    for budget_id, subject in {
        "9-key": "k00000000001",
        "2-team": "acme/search",
        "1-org": "acme",
        "1-not": "acm",
        "2-not": "acme/search-2",
    }.items():
        set_budget(engine, id=budget_id, subject=subject, period="total")
    legs = Legs()
    assert found(engine, legs, claim()) == (("1-org", 0), ("2-team", 0), ("9-key", 0))
    assert legs.find(claim()) == (("1-org", 0), ("2-team", 0), ("9-key", 0))


def test_a_period_begins_once_and_is_remembered(engine: Engine) -> None:
    set_budget(engine, period="day")
    legs, other = Legs(), Legs()
    assert found(engine, legs, claim()) == (("1-org", NOON_US - DAY_US // 2),)
    assert found(engine, other, claim()) == (("1-org", NOON_US - DAY_US // 2),)
    assert legs.find(claim(at_us=NOON_US + DAY_US // 2 - 1)) == legs.find(claim())
    assert legs.find(claim(at_us=NOON_US + DAY_US // 2)) is None
    assert found(engine, legs, claim(at_us=NOON_US + DAY_US))[0][1] == NOON_US + DAY_US // 2
    assert legs.find(claim()) is not None, "a request of yesterday counts yesterday"
    rows = ledgerview.rows(engine, schema.budget_period)
    assert sorted(row["period_start_us"] for row in rows) == [
        NOON_US - DAY_US // 2,
        NOON_US + DAY_US // 2,
    ]
    assert {row["limit_pusd"] for row in rows} == {100}


def test_the_next_period_begins_where_the_last_one_ended(engine: Engine) -> None:
    set_budget(engine, period="day")
    found(engine, Legs(), claim())
    with write_transaction(engine) as connection:
        connection.execute(update(schema.budget).values(zone="Asia/Tokyo"))
    (leg,) = found(engine, Legs(), claim(at_us=NOON_US + DAY_US // 2))
    assert leg == ("1-org", NOON_US + DAY_US // 2)
    ends = {row["period_end_us"] for row in ledgerview.rows(engine, schema.budget_period)}
    assert ends == {NOON_US + DAY_US // 2, NOON_US + DAY_US // 2 + 15 * 3_600_000_000}


def test_a_period_that_begins_late_ends_where_the_next_one_began(engine: Engine) -> None:
    set_budget(engine, period="day")
    found(engine, Legs(), claim())
    with write_transaction(engine) as connection:
        connection.execute(update(schema.budget).values(zone="Etc/GMT+6"))
    late = claim(at_us=NOON_US - DAY_US // 2 - 1)  # a journal brings it, of yesterday as it was
    (leg,) = found(engine, Legs(), late)
    assert leg == ("1-org", NOON_US - DAY_US - DAY_US // 4)
    edges = [
        (row["period_start_us"], row["period_end_us"])
        for row in ledgerview.rows(engine, schema.budget_period)
    ]
    assert sorted(edges) == [
        (leg[1], NOON_US - DAY_US // 2),
        (NOON_US - DAY_US // 2, NOON_US + DAY_US // 2),
    ]


def test_few_periods_are_kept_in_memory(engine: Engine) -> None:
    set_budget(engine, period="day")
    legs = Legs()
    for day in range(10):
        found(engine, legs, claim(at_us=NOON_US + day * DAY_US))
    assert legs.find(claim()) is None
    assert legs.find(claim(at_us=NOON_US + 9 * DAY_US)) is not None
    # a journal that is found late: it counts where it belongs, however long ago
    assert found(engine, legs, claim()) == (("1-org", NOON_US - DAY_US // 2),)
    assert found(engine, Legs(), claim()) == (("1-org", NOON_US - DAY_US // 2),)
    assert len(ledgerview.rows(engine, schema.budget_period)) == 10


def test_budgets_are_read_again_when_one_has_changed(engine: Engine) -> None:
    def news(kind: str) -> News:
        change = Change(kind=kind, subject="acme")
        return News(newest=1, asked_seconds=0.0, changes=(change,))

    legs = Legs()
    assert legs.may_bind(claim()), "nobody knows"
    assert found(engine, legs, claim()) == ()
    assert not legs.may_bind(claim())
    set_budget(engine)
    legs.hear(news(KEY))
    assert found(engine, legs, claim()) == ()
    legs.hear(news(BUDGET))
    assert legs.is_stale
    assert len(found(engine, legs, claim())) == 1
    assert legs.may_bind(claim())
    assert not legs.may_bind(claim(tenant="beta"))
    assert legs.budgets.keys() == {"1-org"}
    legs.hear(News(newest=2, asked_seconds=0.0, changes=None))
    assert legs.is_stale


def test_a_soft_budget_binds_nobody(engine: Engine) -> None:
    set_budget(engine, is_hard=False, models='["gpt-test"]')
    legs = Legs()
    assert len(found(engine, legs, claim())) == 1
    assert not legs.may_bind(claim())
    assert legs.budgets["1-org"].models == ("gpt-test",)


def test_what_was_rolled_back_is_begun_again(engine: Engine) -> None:
    set_budget(engine)
    legs = Legs()
    found(engine, legs, claim())
    with write_transaction(engine) as connection:
        connection.execute(delete(schema.budget_period))
    legs.forget()
    found(engine, legs, claim())
    assert len(ledgerview.rows(engine, schema.budget_period)) == 1


def test_only_so_many_paths_are_remembered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.legs.PATHS_MAX", 2)
    set_budget(engine)
    legs = Legs()
    for user in ("ana", "ben", "cleo", "ana"):
        assert len(found(engine, legs, claim(tenant=f"acme/{user}"))) == 1
        assert found(engine, legs, claim(tenant=f"beta/{user}")) == ()
        assert len(legs._paths) <= 2
