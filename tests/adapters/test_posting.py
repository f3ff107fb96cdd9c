"""The law of a batch: neither order, nor cut, nor repetition changes what it leaves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete

from gateway.adapters import schema
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import open_engine, write_transaction
from gateway.adapters.judge import Bench
from gateway.adapters.pipeline import poster_for
from gateway.adapters.posting import Poster, Replayed
from gateway.adapters.rows import entry_row, hold_row, rollup_row
from gateway.adapters.work import Held, Opened, Posting, Settled
from gateway.core.exchange import Exchange
from tests import builders
from tests.fakes import ledgerview, postgres

# The database is emptied for each example.
LAW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = ("a", "b", "c", "d")
HOLDS = {
    name: builders.hold(
        request_id=name,
        hold_pusd=1000 + number,
        created_at_us=builders.AT_US + number // 2 * schema.HOUR_US,
        price=None if name == "d" else builders.CARD,
    )
    for number, name in enumerate(NAMES)
}
COSTS = {"a": 1, "b": 20, "c": 300, "d": None}


def held(name: str) -> Held:
    return Held(row=hold_row(HOLDS[name], owner_id="me"))


def settled(name: str) -> Settled:
    return posted(builders.exchange(hold=HOLDS[name], cost_pusd=COSTS[name]))


def posted(exchange: Exchange) -> Settled:
    cell, counts = rollup_row(exchange)
    return Settled(row=entry_row(exchange), cell=cell, counts=counts)


def opened(name: str) -> Opened:
    return Opened(request_id=name, response_id=f"resp_{name}")


POSTINGS = st.builds(
    lambda kind, name: kind(name), st.sampled_from([held, settled, opened]), st.sampled_from(NAMES)
)


def post(engine: Engine, batch: list[Posting]) -> None:
    poster = poster_for(engine.dialect)
    try:
        with write_transaction(engine) as connection:
            poster.apply(connection, batch, judge=bench(connection))
    except Replayed:
        with write_transaction(engine) as connection:
            poster.apply(connection, batch, judge=bench(connection), is_replay=True)


def bench(connection: Connection) -> Bench:
    """Who judges a batch, knowing nothing yet."""
    made = Bench(clock=DatabaseClock(lambda: builders.AT_US))
    made.sit(connection)
    return made


def left(engine: Engine) -> Any:
    ledgerview.audit(engine)
    holds = {row["request_id"]: row["response_id"] for row in ledgerview.rows(engine, schema.hold)}
    return holds, ledgerview.ids(engine, schema.entry)


Outcome = Callable[[list[list[Posting]]], Any]


@contextmanager
def emptied(kind: str) -> Iterator[Outcome]:
    """What batches leave in a database that was empty, as often as it is asked."""
    with ExitStack() as stack:
        url = "sqlite://" if kind == "sqlite" else stack.enter_context(postgres.database())
        engine = open_engine(url)
        stack.callback(engine.dispose)
        schema.metadata.create_all(engine)

        def outcome(batches: list[list[Posting]]) -> Any:
            with write_transaction(engine) as connection:
                for table in (schema.hold, schema.entry, schema.usage_hour):
                    connection.execute(delete(table))
            for batch in batches:
                post(engine, batch)
            return left(engine)

        yield outcome


@pytest.fixture
def outcome(kind: str) -> Iterator[Outcome]:
    with emptied(kind) as found:
        yield found


def model(postings: list[Posting]) -> Any:
    """What a batch must leave: a settled id is an entry, a held one a hold, opened if it is one."""
    entries = {str(one.row[0]) for one in postings if isinstance(one, Settled)}
    holds = {str(one.row[0]) for one in postings if isinstance(one, Held)} - entries
    names = {one.request_id: one.response_id for one in postings if isinstance(one, Opened)}
    return {name: names.get(name) for name in holds}, entries


@LAW
@given(batch=st.lists(POSTINGS, max_size=12), data=st.data())
def test_the_order_within_a_batch_does_not_matter(
    outcome: Outcome, batch: list[Posting], data: st.DataObject
) -> None:
    assert outcome([data.draw(st.permutations(batch))]) == model(batch)


@LAW
@given(batches=st.lists(st.lists(POSTINGS, max_size=5), max_size=5))
def test_a_batch_sent_again_changes_nothing(outcome: Outcome, batches: list[list[Posting]]) -> None:
    assert outcome([batch for batch in batches for _ in range(2)]) == outcome(
        [batch + batch for batch in batches]
    )


@LAW
@given(names=st.lists(st.sampled_from(NAMES), max_size=8), data=st.data())
def test_however_lives_are_cut_into_batches_each_is_posted_once(
    outcome: Outcome, names: list[str], data: st.DataObject
) -> None:
    batches: list[list[Posting]] = [[]]
    for name in names:
        for posting in (held(name), opened(name), settled(name)):
            batches[-1].append(posting)
            if data.draw(st.booleans()):
                batches.append([])
    assert outcome(batches) == ({}, set(names))


def test_hold_and_settlement_in_one_batch_leave_an_entry(engine: Engine) -> None:
    post(engine, [settled("a"), held("a"), opened("a")])
    assert left(engine) == ({}, {"a"})


def test_a_hold_that_comes_after_its_settlement_is_not_written(engine: Engine) -> None:
    post(engine, [settled("a")])
    post(engine, [held("a")])
    assert left(engine) == ({}, {"a"})


def test_the_first_settlement_stands(engine: Engine) -> None:
    other = posted(builders.exchange(hold=HOLDS["a"], cost_pusd=999))
    post(engine, [settled("a"), other])
    post(engine, [other, settled("b")])
    costs = {row["request_id"]: row["cost_pusd"] for row in ledgerview.rows(engine, schema.entry)}
    assert costs == {"a": 1, "b": 20}
    ledgerview.audit(engine)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # PostgreSQL tells which are fresh
def test_a_posted_entry_in_a_batch_is_noticed_and_nothing_written(engine: Engine) -> None:
    post(engine, [settled("a")])
    poster = Poster(engine.dialect)
    with pytest.raises(Replayed), write_transaction(engine) as connection:
        poster.apply(connection, [settled("a"), settled("b")], judge=bench(connection))
    assert left(engine) == ({}, {"a"})
