"""What the event loop is promised: durable when it returns, once, whoever leaves or dies."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.job import BatchReport, Job
from gateway.adapters.ledger import ABANDONED, Ledger
from gateway.core.errors import LedgerUnavailable, Overloaded
from tests import builders
from tests.adapters.conftest import now_us
from tests.fakes import ledgerload, ledgerview
from tests.fakes.outage import IN_SERVICE, gate_shut, in_time, outage

ROOT = Path(__file__).parents[2]


async def test_a_hold_is_durable_when_it_returns(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold()
    await ledger.hold(hold)
    assert ledgerview.ids(engine, schema.hold) == {hold.request_id}
    assert ledgerview.rows(engine, schema.hold)[0]["owner"] == "alive"


async def test_a_settlement_is_durable_and_ends_its_hold(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold()
    await ledger.hold(hold)
    await ledger.settle(builders.exchange(hold=hold))
    assert ledgerview.ids(engine, schema.hold) == set()
    assert ledgerview.ids(engine, schema.entry) == {hold.request_id}
    ledgerview.audit(engine)


async def test_settling_twice_is_settling_once(ledger: Ledger, engine: Engine) -> None:
    exchange, other = builders.exchange(), builders.exchange()
    assert await ledger.settle(exchange)
    assert not await ledger.settle(exchange)
    told = await asyncio.gather(*(ledger.settle(other) for _ in range(10)))
    assert (told.count(True), len(ledgerview.rows(engine, schema.entry))) == (1, 2)
    ledgerview.audit(engine)


async def test_a_name_is_durable_when_it_returns(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold()
    await ledger.hold(hold)
    await ledger.named(hold.request_id, "resp_7")
    assert ledgerview.rows(engine, schema.hold)[0]["response_id"] == "resp_7"


async def test_the_response_id_rides_with_the_next_batch(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold()
    await ledger.hold(hold)
    ledger.opened(hold.request_id, "resp_7")
    await ledger.hold(builders.hold())
    found = {row["response_id"] for row in ledgerview.rows(engine, schema.hold)}
    assert found == {"resp_7", None}


async def test_a_cancelled_waiter_does_not_take_the_settlement_with_it(
    ledger: Ledger, engine: Engine
) -> None:
    exchange = builders.exchange()
    with gate_shut(engine), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ledger.settle(exchange)
    await ledger.settle(builders.exchange())
    assert exchange.hold.request_id in ledgerview.ids(engine, schema.entry)


async def test_a_full_queue_takes_no_more_holds(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us, queue_max=2)
    ledger.start()
    with gate_shut(engine):
        waiting = [asyncio.ensure_future(ledger.hold(builders.hold())) for _ in range(8)]
        done = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in done} == {Overloaded, LedgerUnavailable}
    await ledger.settle(builders.exchange())
    await ledger.aclose()


async def test_a_hold_that_comes_too_late_is_voided(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us, batch_max=1)
    ledger.start()
    await ledger.settle(builders.exchange())  # the heartbeat is written: what is next is the hold
    late, unbegun = builders.hold(), builders.hold()
    with gate_shut(engine):
        held = asyncio.ensure_future(ledger.hold(late))
        await asyncio.sleep(0)
        while ledger.queue_depth:  # until the writer has taken it
            await asyncio.sleep(0)
        with pytest.raises(LedgerUnavailable):
            await ledger.hold(unbegun)
        with pytest.raises(LedgerUnavailable):
            await held
    await ledger.settle(builders.exchange())  # the late hold's commit has returned
    await ledger.settle(builders.exchange())  # and so has its void's
    entries = {row["request_id"]: row for row in ledgerview.rows(engine, schema.entry)}
    void = entries[late.request_id]
    assert (void["outcome"], void["basis"], void["cost_pusd"]) == ("failed", "none", 0)
    assert void["reason"] == ABANDONED
    assert unbegun.request_id not in entries
    assert ledgerview.ids(engine, schema.hold) == set()
    ledgerview.audit(engine)
    await ledger.aclose()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), "asyncio"])
async def test_a_loop_that_is_late_does_not_take_the_ledger_for_dead(ledger: Ledger) -> None:
    with in_time():
        holding = asyncio.ensure_future(ledger.hold(builders.hold()))
        await asyncio.sleep(0)
        # the hold is durable long before the loop runs again
        time.sleep(3 * IN_SERVICE["HOLD_SECONDS_MAX"])
        await holding


async def test_a_hold_whose_waiter_was_cancelled_is_voided(ledger: Ledger, engine: Engine) -> None:
    await ledger.settle(builders.exchange())
    hold = builders.hold()
    with gate_shut(engine), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await ledger.hold(hold)
    await ledger.settle(builders.exchange())
    await ledger.settle(builders.exchange())
    assert ledgerview.ids(engine, schema.hold) == set()
    assert hold.request_id in ledgerview.ids(engine, schema.entry)


async def test_a_hold_whose_waiter_is_cancelled_as_it_is_told_is_voided(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = builders.hold()
    holding = asyncio.ensure_future(ledger.hold(hold))
    answer = Job.answer

    def answer_and_cancel(job: Job) -> None:
        answer(job)
        if job.hold is hold:
            holding.cancel()

    monkeypatch.setattr(Job, "answer", answer_and_cancel)
    with pytest.raises(asyncio.CancelledError):
        await holding
    await ledger.settle(builders.exchange())
    assert ledgerview.ids(engine, schema.hold) == set()
    assert hold.request_id in ledgerview.ids(engine, schema.entry)


async def test_one_bad_posting_does_not_fail_the_others(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [builders.hold() for _ in range(3)]
    bad = [builders.hold(hold_pusd=-1), builders.hold(hold_pusd=2**63)]
    entry = builders.exchange(cost_pusd=-1)
    monkeypatch.setattr("tests.fakes.outage.while_away", nullcontext)  # as long as it takes
    with gate_shut(engine):  # so that all are in one batch
        waiting = [ledger.hold(one) for one in (*good[:1], *bad, *good[1:])]
        done = asyncio.gather(*waiting, ledger.settle(entry), return_exceptions=True)
        await asyncio.sleep(0.02)
    results = await done
    assert [type(one) for one in results if isinstance(one, Exception)] == [LedgerUnavailable] * 3
    assert ledgerview.ids(engine, schema.hold) == {one.request_id for one in good}
    assert ledger.is_healthy


async def test_an_outage_refuses_holds_and_delays_settlements(
    ledger: Ledger, engine: Engine
) -> None:
    await ledger.settle(builders.exchange())
    exchange = builders.exchange()
    with outage(engine):
        settling = asyncio.ensure_future(ledger.settle(exchange))
        with pytest.raises(LedgerUnavailable):
            await ledger.hold(builders.hold())
        assert not ledger.is_healthy
        assert not settling.done()
    await settling
    await ledger.settle(
        builders.exchange()
    )  # the hold may have been tried: its void is durable now
    assert ledger.is_healthy
    assert exchange.hold.request_id in ledgerview.ids(engine, schema.entry)
    assert ledgerview.ids(engine, schema.hold) == set()


async def test_closing_during_an_outage_fails_what_is_not_durable(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    ledger.start()
    await ledger.settle(builders.exchange())
    with outage(engine):
        settling = asyncio.ensure_future(ledger.settle(builders.exchange()))
        await asyncio.sleep(0)
        await ledger.aclose()
        with pytest.raises(LedgerUnavailable):
            await settling


async def test_closing_writes_what_is_queued_and_then_takes_nothing(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="alive", now_us=now_us)
    with pytest.raises(LedgerUnavailable):
        await ledger.hold(builders.hold())
    ledger.start()
    settling = [asyncio.ensure_future(ledger.settle(builders.exchange())) for _ in range(200)]
    await asyncio.sleep(0)
    await ledger.aclose()
    await asyncio.gather(*settling)
    assert len(ledgerview.ids(engine, schema.entry)) == 200
    ledger.opened("a", "b")
    with pytest.raises(LedgerUnavailable):
        await ledger.settle(builders.exchange())
    assert not ledger.is_healthy


async def test_what_waits_becomes_one_batch(engine: Engine) -> None:
    reports: list[BatchReport] = []
    ledger = Ledger(
        engine=engine, owner_id="alive", now_us=now_us, batch_max=50, on_batch=reports.append
    )
    ledger.start()
    await asyncio.gather(*(ledger.hold(builders.hold()) for _ in range(200)))
    await ledger.aclose()
    assert sum(one.postings for one in reports) == 200
    assert max(one.postings for one in reports) <= 50
    assert len(reports) < 50
    assert all(one.is_committed and one.duration_seconds > 0 for one in reports)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_what_was_acknowledged_outlives_a_kill(
    engine: Engine, database_url: str, tmp_path: Path, kills: int
) -> None:
    promised: list[str] = []
    for _ in range(kills):
        with _loading(database_url, tmp_path) as process:
            promised += _acknowledged(process, 300)
            process.kill()
    ledgerview.assert_kept(engine, promised)


@pytest.mark.parametrize("lines", [1_000, pytest.param(20_000, marks=pytest.mark.long)])
def test_two_processes_share_one_database(
    engine: Engine, database_url: str, tmp_path: Path, lines: int
) -> None:
    with _loading(database_url, tmp_path) as one, _loading(database_url, tmp_path) as two:
        promised = _acknowledged(one, lines) + _acknowledged(two, lines)
        one.kill()
        two.kill()
    ledgerview.assert_kept(engine, promised)


def _loading(database_url: str, state_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(Path(ledgerload.__file__)), database_url, str(state_dir)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _acknowledged(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]
