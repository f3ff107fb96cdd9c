"""What PostgreSQL alone can do to a batch. The law of a batch is `test_posting`'s, for both."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from gateway.adapters import schema
from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import open_engine, write_transaction
from gateway.adapters.docket import Docket
from gateway.adapters.judge import Bench
from gateway.adapters.ledger import Ledger
from gateway.adapters.pipeline import _THERE, PipelinedPoster, Uncommitted, poster_for
from gateway.adapters.posting import Judge, Poster, Posts
from gateway.adapters.rows import entry_row
from gateway.adapters.work import Posting
from gateway.core.exchange import Basis, Exchange
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerview, postgres
from tests.fakes.budgets import figures, set_budget
from tests.fakes.ledgermodel import Ask
from tests.fakes.ledgerprocess import Process
from tests.fakes.outage import gate_shut

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
def kind() -> str:
    return "postgres"


@pytest.fixture
def cut(database_url: str) -> Callable[[], None]:
    """Ends every other session of the database, as a failing server would."""
    return lambda: postgres.administer(make_url(database_url), TERMINATE)


class _Lossy:
    """A poster whose connection is lost at one point, once."""

    def __init__(self, poster: Posts, lose: Callable[[], None], *, when: str) -> None:
        self._poster = poster
        self._lose = lose
        self._when = when
        self.is_lost = False

    def at_once(
        self, connection: Connection, batch: Sequence[Posting], *, judge: Judge
    ) -> Docket | None:
        if self._when != "at once" or self.is_lost or not batch:
            return None
        assert self._poster.at_once(connection, batch, judge=judge) is not None
        self._lost()
        raise psycopg.OperationalError("the answer was lost")

    def apply(
        self,
        connection: Connection,
        batch: Sequence[Posting],
        *,
        judge: Judge,
        is_replay: bool = False,
    ) -> Docket:
        is_now = bool(batch) and not self.is_lost
        if is_now and self._when == "before":
            self._lost()
        if is_now and self._when == "between":
            _after_hearing(judge, self._lost)
        decided = self._poster.apply(connection, batch, judge=judge, is_replay=is_replay)
        if is_now and self._when == "after":
            self._lost()
            raise psycopg.OperationalError("the answer to COMMIT was lost")
        return decided

    def _lost(self) -> None:
        self.is_lost = True
        self._lose()


def _after_hearing(judge: Judge, then: Callable[[], None]) -> None:
    """Once, what comes between the two trips."""
    heard = judge.hear

    def hear(newest: int, told_us: int | None) -> None:
        setattr(judge, "hear", heard)  # noqa: B010 - a method of this one judge
        heard(newest, told_us)
        then()

    setattr(judge, "hear", hear)  # noqa: B010 - as above


@pytest.mark.parametrize("when", ["before", "between", "after"])
async def test_whenever_a_connection_is_lost_each_is_posted_once(
    ledger: Ledger, engine: Engine, cut: Callable[[], None], when: str
) -> None:
    first, second = builders.hold(), builders.hold()
    await ledger.hold(first)
    lossy = _Lossy(ledger._writer._poster, cut, when=when)
    ledger._writer._poster = lossy
    settling = [ledger.settle(builders.exchange(hold=hold)) for hold in (first, builders.hold())]
    waits = await asyncio.gather(*settling, ledger.hold(second), return_exceptions=True)
    assert lossy.is_lost
    assert waits == [True, True, replace(second, legs=())]
    assert len(ledgerview.rows(engine, schema.entry)) == 2
    assert ledgerview.ids(engine, schema.hold) == {second.request_id}
    ledgerview.audit(engine)


async def test_a_batch_of_one_trip_whose_answer_is_lost_is_posted_once(
    ledger: Ledger, engine: Engine, cut: Callable[[], None]
) -> None:
    first, second = builders.hold(), builders.hold()
    await ledger.hold(first)
    lossy = _Lossy(ledger._writer._poster, cut, when="at once")
    ledger._writer._poster = lossy
    settling = ledger.settle(builders.exchange(hold=first))
    is_first, held = await asyncio.gather(settling, ledger.hold(second))
    assert lossy.is_lost
    assert is_first
    assert held == replace(second, legs=())
    assert ledgerview.ids(engine, schema.hold) == {second.request_id}
    ledgerview.audit(engine)


async def test_a_lock_that_is_not_given_is_asked_for_again(database_url: str) -> None:
    engine = open_engine(f"{database_url}?options=-c%20lock_timeout%3D50ms")
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    await ledger.settle(builders.exchange())
    with gate_shut(engine):
        settling = asyncio.ensure_future(ledger.settle(builders.exchange()))
        async with asyncio.timeout(10):
            while ledger.is_healthy:
                await asyncio.sleep(0.01)
        assert not settling.done()
    await settling
    ledgerview.audit(engine)
    await ledger.aclose()
    engine.dispose()


async def test_a_server_that_is_away_is_noticed_and_found_again_without_requests(
    ledger: Ledger, engine: Engine, cut: Callable[[], None]
) -> None:
    await ledger.hold(builders.hold())
    before = _sessions(engine)
    cut()
    async with asyncio.timeout(10):
        while not (ledger.is_healthy and _sessions(engine).isdisjoint(before)):
            await asyncio.sleep(0.05)
    await ledger.hold(builders.hold())


def _sessions(engine: Engine) -> set[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    with engine.connect() as connection:
        own = connection.scalar(select(func.pg_backend_pid()))
        return set(connection.scalars(text(query))) - {own}


def test_a_commit_that_was_a_rollback_is_not_taken_for_one(engine: Engine) -> None:
    """A question between the trips fails, and the judge goes on as if it had not."""

    def fail() -> None:
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1 / 0"))

    with write_transaction(engine) as connection:
        bench = Bench(clock=DatabaseClock(now_us))
        bench.poll(connection)
        _after_hearing(bench, fail)
        with pytest.raises(Uncommitted):
            PipelinedPoster(engine.dialect).apply(connection, [], judge=bench)


def test_each_database_has_its_poster(engine: Engine) -> None:
    assert isinstance(poster_for(engine.dialect), PipelinedPoster)
    assert isinstance(poster_for(make_url("sqlite://").get_dialect()()), Poster)


def _meet(process: Process, at: str, meeting: threading.Barrier) -> None:
    """Once, after its judge was told that, a process waits for another that is as far."""
    judge = process.bench
    told = getattr(judge, at)

    def tell(*given: object) -> None:
        setattr(judge, at, told)
        told(*given)
        meeting.wait(timeout=30)

    setattr(judge, at, tell)


def _write_at_once(*batches: tuple[Process, list[Ask | Exchange]]) -> None:
    with ThreadPoolExecutor() as threads:
        writing = [threads.submit(process.write, batch) for process, batch in batches]
    for one in writing:
        one.result()


def test_who_hears_of_a_budget_late_is_in_nobody_s_way(engine: Engine) -> None:
    """One has begun its first period and wants the older one, which the other has locked."""
    early, late = Process(engine, "early"), Process(engine, "late")
    set_budget(engine)
    for process in (early, late):
        process.write([Ask(builders.hold(hold_pusd=1))])
    set_budget(engine, id="2-new", subject="acme/search")
    early.poll()
    meeting = threading.Barrier(2)
    _meet(early, "assign", meeting)
    _meet(late, "hear", meeting)
    _write_at_once(
        (early, [Ask(builders.hold(hold_pusd=2))]), (late, [Ask(builders.hold(hold_pusd=3))])
    )
    assert (figures(engine), figures(engine, "2-new")) == ((7, 0, 0), (5, 0, 0))
    ledgerview.audit(engine)


def test_two_who_learn_the_same_truth_are_not_in_each_other_s_way(engine: Engine) -> None:
    """Each has locked one of the two budgets that it corrects."""
    one, other = Process(engine, "one"), Process(engine, "other")
    set_budget(engine)
    set_budget(engine, id="9-key", subject="k2")
    lost, first, second = (
        builders.hold(tenant=tenant, key_id=key_id, hold_pusd=10)
        for tenant, key_id in (("acme", "k2"), ("acme", "k1"), ("beta", "k2"))
    )
    legs = one.write([Ask(lost), Ask(first), Ask(second)]).placed
    held = replace(lost, legs=legs[lost.request_id])
    one.write([builders.exchange(hold=held, basis=Basis.WORST_CASE, cost_pusd=10)])
    truth = builders.exchange(hold=replace(lost, legs=()), cost_pusd=4)  # of which budgets is lost
    meeting = threading.Barrier(2)
    batches: list[tuple[Process, list[Ask | Exchange]]] = []
    for process, hold in ((one, first), (other, second)):
        process.poll()
        _meet(process, "hear", meeting)
        paid = builders.exchange(hold=replace(hold, legs=legs[hold.request_id]), cost_pusd=1)
        batches.append((process, [paid, truth]))
    _write_at_once(*batches)
    assert (figures(engine), figures(engine, "9-key")) == ((0, 5, 0), (0, 5, 0))
    ledgerview.audit(engine)


@pytest.mark.parametrize("statement", ["there", "holds"])
def test_no_batch_reads_all_entries(engine: Engine, statement: str) -> None:
    """As the planner decides for a few thousand, from what it guesses of a batch."""
    row = dict(zip(schema.entry.c.keys(), entry_row(builders.exchange()), strict=True))
    rows = [{**row, "request_id": f"r{number:06d}"} for number in range(3_000)]
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.entry), rows)
        connection.execute(text("ANALYZE entry"))
        driver = connection.connection.driver_connection
        assert driver is not None
        asked = {
            "there": (_THERE, {"ids": '["r000001"]'}),
            "holds": (PipelinedPoster(engine.dialect)._insert_holds, ["[]"]),
        }
        query, given = asked[statement]
        plan = driver.execute(b"EXPLAIN " + query, given).fetchall()
    assert "Seq Scan on entry" not in str(plan)
