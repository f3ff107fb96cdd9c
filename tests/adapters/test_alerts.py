"""Each alert is told by one process at a time, again until it arrived, and then never again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.alerts import NEWS_SECONDS_MAX, TAKEN_MAX, Alerts
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.core.alert import Alert
from tests.fakes import ledgerview
from tests.fakes.budgets import set_budget

SECOND_US = 1_000_000
NOW_US = 10**15
TELLING_SECONDS = 10
FIRST_PAUSE_SECONDS = 4


def add_alert(engine: Engine, threshold_pct: int = 50, **given: Any) -> None:
    row = {"budget_id": "1-org", "period_start_us": 0, "threshold_pct": threshold_pct}
    with write_transaction(engine) as connection:
        moments = {"at_us": NOW_US, "due_at_us": NOW_US}
        connection.execute(insert(schema.alert).values({**row, **moments, **given}))


def add_budget(engine: Engine, **given: Any) -> None:
    budget_id = set_budget(engine, **given)
    account = {
        "budget_id": budget_id,
        "period_start_us": 0,
        "is_hard": True,
        "limit_pusd": 100,
        "held_pusd": 7,
        "spent_pusd": 60,
        "excess_pusd": 0,
    }
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.budget_period).values(account))


def alerts_at(engine: Engine, seconds: float = 0) -> Alerts:
    return Alerts(
        engine=engine,
        now_us=lambda: NOW_US + int(seconds * SECOND_US),
        telling_seconds_max=TELLING_SECONDS,
        pause_seconds_max=60,
        jitter=lambda: 0,
    )


def percents(found: list[Alert]) -> list[int]:
    return [one.threshold_pct for one in found]


def test_an_alert_has_its_budget_and_the_figures_of_its_period(engine: Engine) -> None:
    add_budget(engine, zone="Europe/Berlin")
    add_alert(engine)
    (alert,) = alerts_at(engine).take()
    assert (alert.tenant, alert.budget.subject, alert.budget.zone) == (
        "acme",
        "acme",
        "Europe/Berlin",
    )
    assert (alert.account.spent_pusd, alert.account.held_pusd, alert.at_us) == (60, 7, NOW_US)


def test_of_a_key_its_tenant_is_told(engine: Engine) -> None:
    directory = Directory(engine=engine, now_us=lambda: NOW_US)
    directory.create_tenant("acme/search")
    key_id = directory.issue_key("acme/search").id
    add_budget(engine, subject=key_id)
    add_alert(engine)
    (alert,) = alerts_at(engine).take()
    assert (alert.tenant, alert.budget.subject) == ("acme/search", key_id)


def test_what_did_not_arrive_is_due_again_after_a_pause_that_grows(engine: Engine) -> None:
    add_budget(engine)
    add_alert(engine)
    due = 0.0
    for pause in (FIRST_PAUSE_SECONDS, 8, 16, 32, 60, 60):
        assert percents(alerts_at(engine, due).take()) == [50]
        due += TELLING_SECONDS + pause
        assert alerts_at(engine, due - 0.001).take() == []


def test_what_arrived_is_never_due_again(engine: Engine) -> None:
    add_budget(engine)
    add_alert(engine)
    add_alert(engine, 80)
    at_once = alerts_at(engine, 1)
    first, _ = at_once.take()
    at_once.told([first])
    assert percents(alerts_at(engine, 10**6).take()) == [80]
    told, untold = sorted(
        ledgerview.rows(engine, schema.alert), key=lambda row: row["threshold_pct"]
    )
    assert (told["delivered_at_us"], told["attempts"]) == (NOW_US + SECOND_US, 1)
    assert (untold["delivered_at_us"], untold["attempts"]) == (None, 2)


def test_the_oldest_come_first_some_at_a_time(engine: Engine) -> None:
    add_budget(engine)
    for number in range(TAKEN_MAX + 2):
        add_alert(engine, 100 + number, at_us=NOW_US - number)
    found = percents(alerts_at(engine).take())
    assert found == list(range(100 + TAKEN_MAX + 1, 101, -1))
    assert percents(alerts_at(engine).take()) == [101, 100]


def test_many_processes_share_them_out(engine: Engine) -> None:
    add_budget(engine)
    wanted = list(range(1, 101))
    for number in wanted:
        add_alert(engine, number)

    def take_all(_: int) -> list[int]:
        found: list[int] = []
        while some := alerts_at(engine).take():
            found += percents(some)
        return found

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(take_all, range(4)))
    # One who finds all others' locked goes away empty, and asks again after its pause.
    assert sorted(sum(shares, take_all(0))) == wanted


def test_what_was_not_told_for_a_week_is_told_only_if_it_was_tried(engine: Engine) -> None:
    add_budget(engine)
    long_ago = NOW_US - (NEWS_SECONDS_MAX + 1) * SECOND_US
    add_alert(engine, 50, at_us=long_ago, due_at_us=long_ago)
    add_alert(engine, 80, at_us=long_ago, due_at_us=long_ago, attempts=1)
    add_alert(engine, 100, at_us=long_ago + 2 * SECOND_US, due_at_us=long_ago)
    assert percents(alerts_at(engine).take()) == [80, 100]
    assert percents(alerts_at(engine, 10**6).take()) == [80, 100]
