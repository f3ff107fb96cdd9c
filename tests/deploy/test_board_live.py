"""Each panel's question, asked of a real Prometheus that scrapes a real gateway with real traffic.

Proves that the boards' queries find what the gateway exports, and that the ledger's figure is the
ledger's. Wants the program `prometheus`. How Grafana draws the answers is not proved here.
"""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.cli.demo_stage import Stage, set_stage

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "deploy" / "grafana" / "dashboards"
SECONDS_MAX = 120
PANELS = {
    panel["title"]: target["expr"]
    for path in BOARDS.glob("*.json")
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
}
CHOSEN = {"$__rate_interval": "10s", "$__range": "1m", "$job": ".*", "$instance": ".*"}
CHOSEN |= {"$tenant": ".*", "$model": ".*"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """As deployed, but for where it finds the gateway and how often it asks."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
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
            yield f"http://{address}"
        finally:
            process.terminate()


def ask(server: str, expression: str) -> list[float]:
    """The values of one instant query; nothing while the server is not up."""
    for name, value in CHOSEN.items():
        expression = expression.replace(name, value)
    with suppress(httpx.ConnectError):
        reply = httpx.get(f"{server}/api/v1/query", params={"query": expression}, trust_env=False)
        if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return [
                float(row["value"][1]) for row in reply.raise_for_status().json()["data"]["result"]
            ]
    return []


def gateway(stage: Stage, *words: str) -> str:
    command = [sys.executable, "-m", "gateway", *words]
    state = Path(stage.database_url.removeprefix("sqlite:///")).parent
    places = {"GATEWAY_DATABASE_URL": stage.database_url, "GATEWAY_STATE_DIR": str(state)}
    env = {**os.environ, **places, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_answered(values: list[float]) -> bool:
    return bool(values) and not any(math.isnan(value) for value in values)


def test_every_panel_is_answered(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None and os.environ.get("GATEWAY_TEST_ALL") != "1":
        pytest.skip("prometheus is not installed")
    give_up = time.monotonic() + SECONDS_MAX
    with set_stage(tmp_path) as stage:
        target = stage.gateway_url.split("/")[2]
        gateway(stage, "tenants", "create", "acme")
        limit = ("--limit-usd", "1000", "--soft")  # a hard one wants every request to have a bound
        gateway(stage, "budgets", "set", "acme", "--period", "month", *limit)
        key = json.loads(gateway(stage, "keys", "create", "--tenant", "acme", "--json"))["key"]
        with prometheus(tmp_path, target) as server:
            while empty := [
                name for name, expr in PANELS.items() if not is_answered(ask(server, expr))
            ]:
                assert time.monotonic() < give_up, f"no answer for {empty}"
                gateway(stage, "demo", "--against", stage.gateway_url, "--key", key)
            lines = gateway(stage, "entries", "--limit", "1000", "--json").splitlines()
            cost = sum(Decimal(json.loads(line)["cost_usd"]) for line in lines)
            while ask(server, PANELS["Cost today"]) != [pytest.approx(float(cost))]:
                assert time.monotonic() < give_up, f"the ledger says {cost}"
                time.sleep(0.2)
