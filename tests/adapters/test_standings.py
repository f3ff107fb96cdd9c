"""What the budgets in force come to, at a moment."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.standings import Standing, standings
from gateway.core.budget import Account
from tests.adapters.conftest import now_us


def us(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000_000


NOON = us("2026-11-22T12:00Z")


def add_budget(engine: Engine, **fields: Any) -> None:
    given = {
        "id": "1-a",
        "subject": "acme",
        "period": "day",
        "zone": "UTC",
        "is_hard": True,
        "limit_pusd": 100,
        "thresholds": "[50]",
        "created_at_us": 0,
    }
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.budget).values(**{**given, **fields}))


def add_period(engine: Engine, start_us: int, end_us: int | None, **figures: Any) -> None:
    given = {
        "budget_id": "1-a",
        "period_start_us": start_us,
        "period_end_us": end_us,
        "is_hard": True,
        "limit_pusd": 90,
        "held_pusd": 0,
        "spent_pusd": 0,
        "excess_pusd": 0,
    }
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.budget_period).values(**{**given, **figures}))


def found(engine: Engine, at_us: int, subject: str | None = None) -> list[Standing]:
    with engine.connect() as connection:
        return standings(connection, at_us, subjects=None if subject is None else [subject])


def test_the_figures_are_the_current_periods(engine: Engine) -> None:
    add_budget(engine)
    add_period(engine, us("2026-11-21T00:00Z"), us("2026-11-22T00:00Z"), spent_pusd=90)
    add_period(engine, us("2026-11-22T00:00Z"), us("2026-11-23T00:00Z"), spent_pusd=5, held_pusd=7)
    (one,) = found(engine, NOON)
    assert one.account == Account(
        budget_id="1-a",
        period_start_us=us("2026-11-22T00:00Z"),
        period_end_us=us("2026-11-23T00:00Z"),
        is_hard=True,
        limit_pusd=90,
        held_pusd=7,
        spent_pusd=5,
    )
    assert one.account.left_pusd == 78
    midnight_us = us("2026-11-22T00:00Z")
    (before,), (after,) = found(engine, midnight_us - 1), found(engine, midnight_us)
    assert (before.account.spent_pusd, after.account.spent_pusd) == (90, 5)


def test_a_period_that_has_not_begun_is_empty_and_follows_the_last(engine: Engine) -> None:
    add_budget(engine, zone="Asia/Tokyo")
    (one,) = found(engine, NOON)
    assert (one.account.spent_pusd, one.account.limit_pusd) == (0, 100)
    assert one.account.period_start_us == us("2026-11-22T00:00+09:00")
    add_period(engine, us("2026-11-21T00:00Z"), us("2026-11-22T00:00Z"))  # before Tokyo was set
    (one,) = found(engine, us("2026-11-22T00:00Z"))
    assert found(engine, NOON) == [one]
    assert one.account.period_start_us == us("2026-11-22T00:00Z")
    assert one.account.period_end_us == us("2026-11-23T00:00+09:00")


def test_a_total_goes_on(engine: Engine) -> None:
    add_budget(engine, period="total")
    assert found(engine, NOON)[0].account.period_end_us is None
    add_period(engine, 0, None, spent_pusd=3)
    assert found(engine, 10 * NOON)[0].account.spent_pusd == 3


def test_what_ended_is_not_in_force(engine: Engine) -> None:
    add_budget(engine, ended_at_us=1)
    assert found(engine, NOON) == []


def test_a_key_stands_with_its_tenant(engine: Engine) -> None:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/a")
    directory.create_tenant("acme-x")
    key_id = directory.issue_key("acme").id
    for number, subject in enumerate((key_id, "acme-x", "acme/a", "acme")):
        add_budget(engine, id=f"1-{number}", subject=subject)
    assert [(one.tenant, one.budget.subject) for one in found(engine, NOON)] == [
        ("acme", "acme"),
        ("acme", key_id),
        ("acme/a", "acme/a"),
        ("acme-x", "acme-x"),
    ]
    (one,) = found(engine, NOON, key_id)
    assert one.tenant == "acme"
