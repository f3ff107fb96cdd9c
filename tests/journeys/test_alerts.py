"""Thresholds that spending passed are told to a receiver, over real sockets and past restarts."""

import base64
import json
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.database import open_engine, write_transaction
from gateway.adapters.webhook import signature
from gateway.core.money import PUSD_PER_USD
from tests.fakes import ledgerview, postgres
from tests.fakes.rawserver import RawServer, Script, read_request, send
from tests.journeys.stage import (
    TENANT,
    Stage,
    body,
    make_key,
    now_us,
    running,
    settings_for,
    stage,
    until,
)

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOWHERE = "http://127.0.0.1:9/v1"
REQUEST = "[sim: usage=in:0,cached:0,write:0,out:1000,reasoning:0]"
COST_PUSD = 1000 * 2_000_000
TAKEN: Script = [read_request, send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")]
BUSY: Script = [read_request, send(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")]


def told_to(server: RawServer, **more: Any) -> dict[str, Any]:
    """Settings that hurry."""
    return {
        "webhook_url": f"{server.url}/canary",
        "webhook_secret": SECRET,
        "seconds_max": 1,
        "pause_seconds_max": 0.1,
        "poll_seconds": 0.05,
        **more,
    }


def set_budget(engine: Engine, *, of_requests: int) -> None:
    """A soft one, told at 50, 80 and 100 % of it."""
    limit_pusd = of_requests * COST_PUSD
    budgets = Budgets(engine=engine, now_us=now_us)
    budgets.set_budget(TENANT, period="total", given={"limit_pusd": limit_pusd, "is_hard": False})


def pass_at_once(engine: Engine, subject: str) -> None:
    """Three thresholds of a budget, as if it was lowered below what is spent."""
    budgets = Budgets(engine=engine, now_us=now_us)
    given: Given = {"limit_pusd": PUSD_PER_USD, "is_hard": False}
    budget = budgets.set_budget(subject, period="total", given=given)
    spent = {"budget_id": budget.id, "period_start_us": 0, "held_pusd": 0, "excess_pusd": 0}
    figures = {"is_hard": False, "limit_pusd": PUSD_PER_USD, "spent_pusd": PUSD_PER_USD}
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.budget_period).values(**spent, **figures))
    budgets.set_budget(subject, period="total", given=given)


async def spend(on: Stage) -> None:
    answer = await on.post(body(REQUEST))
    assert answer.status_code == 200


async def all_told(engine: Engine, count: int) -> None:
    def is_so() -> bool:
        rows = ledgerview.rows(engine, schema.alert)
        return len(rows) == count and all(row["delivered_at_us"] for row in rows)

    await until(is_so)


def bodies(server: RawServer) -> list[dict[str, Any]]:
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]


def percents(server: RawServer) -> list[int]:
    return [told["data"]["threshold_percent"] for told in bodies(server)]


async def test_each_threshold_is_told_once_and_signed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with RawServer(TAKEN) as receiver, stage(tmp_path, alerts=told_to(receiver)) as on:
        set_budget(on.engine, of_requests=2)
        await spend(on)
        await all_told(on.engine, 1)
        assert percents(receiver) == [50]
        await spend(on)
        await all_told(on.engine, 3)
        await spend(on)
    assert sorted(percents(receiver)) == [50, 80, 100]
    first = bodies(receiver)[0]["data"]
    assert (first["subject"], first["budget"], first["hard"]) == (TENANT, "total", False)
    assert (first["limit_usd"], first["spent_usd"]) == ("0.004000000000", "0.002000000000")
    for request in receiver.requests:
        head, told = request.split(b"\r\n\r\n", 1)
        headers = message_from_bytes(head.partition(b"\r\n")[2])
        at_seconds, told_id = int(headers["webhook-timestamp"]), headers["webhook-id"]
        assert abs(at_seconds - now_us() // 1_000_000) < 300
        assert headers["webhook-signature"] == signature(KEY, told_id, at_seconds, told)
        assert told_id == json.loads(told)["data"]["id"]
    assert "canary" not in caplog.text


async def test_what_a_receiver_did_not_take_it_gets_again_past_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with RawServer(BUSY) as receiver, stage(tmp_path, alerts=told_to(receiver)) as on:
        set_budget(on.engine, of_requests=2)
        await spend(on)
        await receiver.until(lambda server: len(server.requests) >= 2)
        url = receiver.url
    settings = settings_for(tmp_path, NOWHERE)
    engine = open_engine(settings.database.url)
    (row,) = ledgerview.rows(engine, schema.alert)
    assert (row["delivered_at_us"], row["attempts"] >= 2) == (None, True)
    async with RawServer(lambda number: TAKEN if number else BUSY) as back:
        settings = settings_for(tmp_path, NOWHERE, alerts=told_to(back))
        async with running(settings):
            await all_told(engine, 1)
    engine.dispose()
    assert percents(back) == [50, 50]
    ids = {told["data"]["id"] for told in (*bodies(receiver), *bodies(back))}
    assert len(ids) == 1
    assert "did not arrive: status 503" in caplog.text
    assert url not in caplog.text


async def test_of_two_replicas_one_tells(tmp_path: Path) -> None:
    with postgres.database(is_empty=True) as database_url:
        database = {"url": database_url}
        async with RawServer(TAKEN) as receiver:
            alerts = told_to(receiver, poll_seconds=0.01)
            other = settings_for(tmp_path / "b", NOWHERE, database=database, alerts=alerts)
            async with (
                stage(tmp_path / "a", database=database, alerts=alerts) as on,
                running(other),
            ):
                subjects = [f"{TENANT}/{number}" for number in range(10)]
                for subject in subjects:
                    make_key(on.engine, subject)
                    pass_at_once(on.engine, subject)
                await all_told(on.engine, 30)
    assert len({told["data"]["id"] for told in bodies(receiver)}) == len(receiver.requests) == 30


async def test_slack_is_told_in_its_own_shape(tmp_path: Path) -> None:
    async with RawServer(TAKEN) as receiver:
        chosen = told_to(receiver, format="slack", webhook_secret=None)
        async with stage(tmp_path, alerts=chosen) as on:
            set_budget(on.engine, of_requests=2)
            await spend(on)
            await all_told(on.engine, 1)
    (told,) = bodies(receiver)
    assert told.keys() == {"text"}
    assert told["text"].startswith(f"{TENANT} has passed 50 % of its soft budget of 0.00 USD")


async def test_without_a_webhook_thresholds_are_only_noted(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        set_budget(on.engine, of_requests=1)
        await spend(on)
        rows = ledgerview.rows(on.engine, schema.alert)
        assert [(row["attempts"], row["delivered_at_us"]) for row in rows] == [(0, None)] * 3
