"""What is written in one trip, and what is left to two: the law of both is `test_ledger_law`'s."""

from dataclasses import replace

import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, insert, text

from gateway.adapters import schema
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import write_transaction
from gateway.adapters.docket import Docket
from gateway.adapters.judge import Bench
from gateway.adapters.pipeline import PipelinedPoster
from gateway.adapters.rows import entry_row, hold_row
from gateway.adapters.work import Held, Opened, Posting, settled
from gateway.core.budget import ConcurrencyLimit, Terms
from gateway.core.exchange import Hold
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview
from tests.fakes.budgets import figures, set_budget
from tests.fakes.outage import gate_shut


@pytest.fixture
def kind() -> str:
    return "postgres"


class World:
    """One writer, which has written before: it knows the budget of 100 and that 1 of it is held."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.poster = PipelinedPoster(engine.dialect)
        self.bench = Bench(clock=DatabaseClock(now_us))
        set_budget(engine, period="total")
        self.before = builders.hold(hold_pusd=1)
        with write_transaction(engine) as connection:
            self.bench.poll(connection)
        legs = self.slowly(held(self.before)).placed[self.before.request_id]
        self.before.legs = legs

    def slowly(self, *batch: Posting) -> Docket:
        with write_transaction(self.engine) as connection:
            self.bench.sit(connection)
            return self.poster.apply(connection, batch, judge=self.bench, is_replay=True)

    def swiftly(self, *batch: Posting) -> Docket | None:
        with self.engine.connect() as connection:
            return self.poster.at_once(connection, batch, judge=self.bench)

    def is_untouched(self) -> bool:
        held, spent, excess = figures(self.engine)
        ids = ledgerview.ids(self.engine, schema.hold), ledgerview.ids(self.engine, schema.entry)
        return (held, spent, excess, *ids) == (1, 0, 0, {self.before.request_id}, set())


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def held(hold: Hold, **terms: object) -> Held:
    return Held(row=hold_row(hold, owner_id="me"), terms=Terms(**terms))  # type: ignore[arg-type]


def test_what_most_batches_are_takes_one_trip(world: World) -> None:
    new = builders.hold(hold_pusd=40, legs=None)
    paid = settled(
        builders.exchange(
            hold=world.before, cost_pusd=1, item_ids=("msg_1",), settled_at_us=builders.AT_US
        )
    )
    docket = world.swiftly(held(new), paid, Opened(request_id="gone", response_id="resp_2"))
    assert docket is not None
    assert docket.placed == {new.request_id: world.before.legs}
    assert list(docket.fresh) == [world.before.request_id]
    assert figures(world.engine) == (40, 1, 0)
    assert len(ledgerview.rows(world.engine, schema.item_log)) == 1
    assert world.swiftly(Opened(request_id=new.request_id, response_id="resp_1")) is not None
    (row,) = ledgerview.rows(world.engine, schema.hold)
    assert (row["request_id"], row["response_id"]) == (new.request_id, "resp_1")
    ledgerview.audit(world.engine)


@pytest.mark.parametrize(
    "case",
    ["full", "full by others", "crossing", "above its hold", "not held", "limited", "sent"],
)
def test_what_is_to_be_looked_at_is_left_as_it_was(world: World, case: str) -> None:
    hold = builders.hold(hold_pusd=50, legs=None)
    if case == "full":
        hold = replace(hold, hold_pusd=100)
    paid = replace(world.before, hold_pusd=1)
    batch: dict[str, list[Posting]] = {
        "full": [held(hold)],
        "full by others": [held(hold)],
        "crossing": [settled(builders.exchange(hold=paid, cost_pusd=1)), held(hold)],
        "above its hold": [settled(builders.exchange(hold=paid, cost_pusd=2))],
        "not held": [settled(builders.exchange(hold=replace(paid, request_id="b"), cost_pusd=1))],
        "limited": [held(hold, concurrency=(ConcurrencyLimit(subject="acme", open_max=9),))],
        "sent": [replace(held(hold), is_sent=True)],
    }
    if case == "crossing":  # what is spent comes to half of the limit, with what others spent
        _set(world.engine, "spent_pusd = 49")
    if case == "full by others":
        _set(world.engine, "spent_pusd = 99")
    assert world.swiftly(*batch[case]) is None
    _set(world.engine, "spent_pusd = 0")
    assert world.is_untouched()


def test_past_an_excess_nothing_is_held_though_the_table_would_let_it(world: World) -> None:
    _set(world.engine, "held_pusd = 100, excess_pusd = 50")
    assert world.swiftly(held(builders.hold(hold_pusd=1, legs=None))) is None
    assert figures(world.engine) == (100, 0, 50)


def test_what_changed_is_heard_before_anything_is_held(world: World) -> None:
    set_budget(world.engine, id="2-new", subject="acme/search", limit_pusd=0)
    assert world.swiftly(held(builders.hold(hold_pusd=1, legs=None))) is None
    assert world.is_untouched()


def test_what_is_there_already_is_not_written_twice(world: World) -> None:
    assert world.swiftly(held(world.before)) is None
    assert world.is_untouched()


def test_what_was_posted_is_not_posted_or_held_again(world: World) -> None:
    paid = settled(builders.exchange(hold=world.before, cost_pusd=1))
    for again in (paid, held(world.before)):
        world.slowly(paid)
        assert world.swiftly(again) is None
    assert figures(world.engine) == (0, 1, 0)
    ledgerview.audit(world.engine)


def test_an_entry_is_never_counted_twice_even_beside_its_hold(world: World) -> None:
    paid = settled(builders.exchange(hold=world.before, cost_pusd=1))
    with write_transaction(world.engine) as connection:  # as no writer of ours leaves it
        connection.execute(insert(schema.entry).values(paid.row))
    assert world.swiftly(paid) is None
    assert figures(world.engine) == (1, 0, 0)


def test_a_limit_that_others_moved_since_moves_its_thresholds(world: World) -> None:
    hold = builders.hold(hold_pusd=30)
    hold.legs = world.slowly(held(hold)).placed[hold.request_id]
    set_budget(world.engine, id="1-other", subject="other", period="total")
    _set(world.engine, "limit_pusd = 40")
    world.slowly(held(builders.hold(tenant="other", legs=None)))  # hears of it, and looks not there
    paid = settled(builders.exchange(hold=hold, cost_pusd=30))
    assert world.swiftly(paid) is None, "half of the limit is spent: somebody is to be told"
    world.slowly(paid)
    assert [one["threshold_pct"] for one in ledgerview.rows(world.engine, schema.alert)] == [50]


def test_a_database_that_does_not_answer_is_an_outage(world: World) -> None:
    new = held(builders.hold(hold_pusd=1, legs=None))
    with gate_shut(world.engine), world.engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '50ms'"))
        connection.commit()
        with pytest.raises(LockNotAvailable):
            world.poster.at_once(connection, [new], judge=world.bench)


def test_no_batch_reads_all_accounts_or_entries(world: World) -> None:
    """As the planner decides for a few thousand, from what it guesses of a batch."""
    entry = dict(zip(schema.entry.c.keys(), entry_row(builders.exchange()), strict=True))
    (account,) = ledgerview.rows(world.engine, schema.budget_period)
    statement = world.poster._swift._statement.decode()
    for number, value in enumerate(("0", "[]", "[]", "[]", "{}", "[]", "[]", "[]"), start=1):
        statement = statement.replace(f"${number}::", f"'{value}'::")
    with write_transaction(world.engine) as connection:
        for table, name, row in (
            (schema.entry, "request_id", entry),
            (schema.budget_period, "budget_id", dict(account)),
        ):
            rows = [{**row, name: f"r{number:06d}"} for number in range(3_000)]
            connection.execute(insert(table), rows)
            connection.execute(text(f"ANALYZE {table.name}"))
        plan = str(connection.exec_driver_sql(f"EXPLAIN {statement}").fetchall())
    assert "Seq Scan on entry" not in plan
    assert "Seq Scan on budget_period" not in plan


def _set(engine: Engine, what: str) -> None:
    with write_transaction(engine) as connection:
        connection.execute(text(f"UPDATE budget_period SET {what}"))
