"""What is set reaches the device that it is about."""

import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.app.devices import (
    TelemetryUnusable,
    authenticator_for,
    ledger_for,
    metrics_for,
    tenants_for,
    traces_for,
    upstream_for,
)
from gateway.core.errors import (
    Overloaded,
    TooManyFailedAttempts,
    Unauthorized,
    UpstreamUnavailable,
)
from tests import builders
from tests.journeys.stage import settings_for

NOWHERE = "http://127.0.0.1:9/v1"


async def test_a_queue_of_one_is_full_with_one_and_says_so(tmp_path: Path) -> None:
    chosen = settings_for(tmp_path, NOWHERE, limits={"queue_length_max": 1})
    engine = open_engine(chosen.database.url)
    schema.metadata.create_all(engine)
    metrics = metrics_for(chosen, engine, None)
    ledger = ledger_for(chosen, engine, owner_id="one", metrics=metrics, on_news=lambda _: None)
    ledger.opened("request", "resp_1")  # nobody writes yet, so it stays in the queue
    with pytest.raises(Overloaded):
        await ledger.hold(builders.hold())
    assert b"gateway_ledger_queue_depth 1.0" in metrics.render()
    assert b"gateway_journal_bytes 0.0" in metrics.render()


@pytest.mark.parametrize("failed", [1, 2])
async def test_so_many_failed_attempts_are_taken_as_is_set(tmp_path: Path, failed: int) -> None:
    chosen = settings_for(tmp_path, NOWHERE, ingress={"failed_attempts_max": failed})
    engine = open_engine(chosen.database.url)
    schema.metadata.create_all(engine)
    door = authenticator_for(chosen, tenants_for(chosen, engine))
    headers = [(b"authorization", b"Bearer none")]
    for _ in range(failed):
        with pytest.raises(Unauthorized):
            await door.tenant_of(headers, peer="192.0.2.1")
    with pytest.raises(TooManyFailedAttempts):
        await door.tenant_of(headers, peer="192.0.2.1")


@pytest.mark.parametrize("transport", ["fast", "stock"])
async def test_either_transport_goes_where_it_is_set_to(tmp_path: Path, transport: Any) -> None:
    upstream = upstream_for(settings_for(tmp_path, NOWHERE, upstream={"transport": transport}))
    assert upstream.name == "127.0.0.1"
    with pytest.raises(UpstreamUnavailable):
        await upstream.send(method="GET", path="/models", headers=[], body=b"")
    await upstream.aclose()


def test_a_collector_without_what_speaks_to_it_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert traces_for(settings_for(tmp_path, NOWHERE)) is None
    monkeypatch.setitem(sys.modules, "gateway.adapters.collector", None)
    chosen = settings_for(tmp_path, NOWHERE, telemetry={"otlp_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(TelemetryUnusable, match=r"install responses-gateway\[otel\]"):
        traces_for(chosen)
