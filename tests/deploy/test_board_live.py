"""Every question of every board, asked of a real Prometheus and a real ledger under real traffic.

Proves that the boards' queries find what the gateway exports, that the ledger's figures are the
ledger's, and that no alert fires where all is well. Wants the program `prometheus`. How Grafana
draws the answers is not proved here.
"""

import asyncio
import math
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import Engine, text

from gateway.core.money import PUSD_PER_USD
from tests.deploy.boards import BOARDS, PANELS, ROOT, exprs, promql, rules, sql, sqls
from tests.deploy.traffic import UNTOLD, flowing, prepare
from tests.fakes import postgres
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import until

PROMETHEUS = ROOT / "deploy" / "prometheus"
SECONDS_MAX = 120
VARIABLE = re.compile(r"label_values\((\w+\{.*\}|\w+), (\w+)\)")
# Pending for a while, because a machine that is busy with tests is slow: the ledger may miss its
# time limit. And a budget that lowers a request holds all it has.
MAY_WAIT = {
    "GatewayBudgetNearLimit", "GatewayFirstTokenSlow", "GatewayJournalWaiting",
    "GatewayLedgerFailing", "GatewayOverheadHigh", "GatewayServerErrors",
}  # fmt: skip


def questions() -> dict[str, str]:
    """Every query of every board, those of its variables too, as Grafana would send it now."""
    found = {
        f"{title} {number}": expr
        for title, panel in PANELS.items()
        for number, expr in enumerate(exprs(panel))
    }
    for name, board in BOARDS.items():
        for each in board["templating"]["list"]:
            if asked := VARIABLE.fullmatch(str(each.get("definition"))):
                found[f"{name}: ${each['name']}"] = f"count by ({asked[2]}) ({asked[1]})"
    return {title: promql(expr, pace="10s", span="1m") for title, expr in found.items()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[httpx.AsyncClient]:
    """As deployed, but for where it finds the gateway and how often it asks."""
    shutil.copytree(PROMETHEUS, folder)
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    often = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["global"] |= often
    del config["alerting"]["alertmanagers"]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    job["authorization"]["credentials_file"] = str(folder / "token")
    (folder / "token").write_text("not asked for on loopback")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    options = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "tsdb"}
    words = [f"--{name}={value}" for name, value in options.items()]
    command = ["prometheus", *words, f"--web.listen-address={address}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://{address}/api/v1"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
                yield client
        finally:
            process.terminate()


async def ask(server: httpx.AsyncClient, expression: str) -> list[float]:
    """The values of one instant query; nothing while the server is not up."""
    try:
        reply = await server.get("/query", params={"query": expression})
    except httpx.ConnectError:
        return []
    if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    return [float(row["value"][1]) for row in reply.raise_for_status().json()["data"]["result"]]


def is_answered(values: list[float]) -> bool:
    return bool(values) and not any(math.isnan(value) for value in values)


async def unanswered(server: httpx.AsyncClient, asked: Mapping[str, str]) -> list[str]:
    answers = await asyncio.gather(*(ask(server, expr) for expr in asked.values()))
    pairs = zip(asked, answers, strict=True)
    return [title for title, values in pairs if not is_answered(values)]


async def of_rules(server: httpx.AsyncClient) -> list[dict[str, Any]]:
    groups = (await server.get("/rules")).raise_for_status().json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def told_by_ledger(engine: Engine) -> dict[str, list[Any]]:
    """Every SQL question of the boards, to the ledger that the gateway writes."""
    until = int(time.time())
    with engine.connect() as connection:
        everything = {
            name: list(connection.scalars(text(f"SELECT {column} FROM {table}")))
            for name, column, table in (
                ("tenant", "path", "tenant"),
                ("model", "model", "usage_hour"),
            )
        }
        span: Any = {"since": until - 3600, "until": until, "chosen": everything}
        return {
            title: list(connection.execute(text(sql(one, **span).replace(":", "\\:"))))
            for title, panel in PANELS.items()
            for one in sqls(panel)
        }


@pytest.fixture
def postgres_url() -> Iterator[str]:
    if shutil.which("prometheus") is None and os.environ.get("GATEWAY_TEST_ALL") != "1":
        pytest.skip("prometheus is not installed")
    with postgres.database(is_empty=True) as url:
        yield url


async def test_every_panel_is_answered_and_no_alert_fires(
    tmp_path: Path, postgres_url: str
) -> None:
    async with process_stage(tmp_path, database_url=postgres_url) as on:
        traffic = prepare(on.engine, f"http://127.0.0.1:{on.gateway.port}/v1")
        target = f"127.0.0.1:{on.gateway.port}"
        async with prometheus(tmp_path / "prometheus", target) as server:
            async with flowing(traffic):
                await all_answered(server)
                await no_alert(server)
            await traffic.once(UNTOLD)  # after the alerts were looked at: one is for it
            await same_as_the_ledger(server, on)


async def all_answered(server: httpx.AsyncClient) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    asked = questions()
    while empty := await unanswered(server, asked):
        assert time.monotonic() < give_up, f"no answer for {empty}"
        await asyncio.sleep(0.5)
    expr = asked["cost: Requests by outcome 0"].replace("requests_total", "requets_total")
    assert await unanswered(server, {**asked, "misspelt": expr}) == ["misspelt"]


async def no_alert(server: httpx.AsyncClient) -> None:
    found = await of_rules(server)
    assert {rule["name"] for rule in found} == {*rules("alert"), *rules("record")}
    assert [rule for rule in found if rule["health"] != "ok"] == []
    waiting = {rule["name"] for rule in found if rule.get("state", "inactive") == "pending"}
    assert waiting <= MAY_WAIT
    assert [rule["name"] for rule in found if rule.get("state") == "firing"] == []


async def same_as_the_ledger(server: httpx.AsyncClient, on: ProcessStage) -> None:
    """Once nothing is owed, boards, gauges and entries say the same, to the picodollar."""
    await until(lambda: on.holds() == 0)
    entries = on.entries()
    assert entries
    cost = Decimal(sum(entry.cost_pusd or 0 for entry in entries)) / PUSD_PER_USD
    give_up = time.monotonic() + SECONDS_MAX
    today = questions()["cost: Cost today 0"]
    while await ask(server, today) != [pytest.approx(float(cost))]:
        assert time.monotonic() < give_up, f"the ledger says {cost}"
        await asyncio.sleep(0.2)
    told = told_by_ledger(on.engine)
    assert [title for title, rows in told.items() if not rows] == []
    assert told["ledger: Cost"] == [(cost,)]
    assert told["ledger: Requests"] == [(len(entries),)]
    assert told["ledger: The books differ by"] == [(0,)]
