"""Who may see the metrics, and when a load balancer is told to wait."""

from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from gateway.adapters.metrics import Metrics
from gateway.app.health import admin_guard, health_router
from gateway.core.errors import Unauthorized

TOKEN = "token-of-the-operator"


@pytest.mark.parametrize("shown", [None, "", "Bearer anything"])
def test_a_closed_port_needs_no_token(shown: str | None) -> None:
    admin_guard(is_open=True, token=lambda: TOKEN)(shown)


def test_the_operator_is_let_in() -> None:
    admin_guard(is_open=False, token=lambda: TOKEN)(f"Bearer {TOKEN}")


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "Bearer \xe9", TOKEN[:-1]])
def test_nobody_else_is(shown: str | None) -> None:
    with pytest.raises(Unauthorized):
        admin_guard(is_open=False, token=lambda: TOKEN)(shown)


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer "])
def test_without_a_token_an_open_port_lets_nobody_in(shown: str | None) -> None:
    with pytest.raises(Unauthorized, match="GATEWAY_ADMIN_TOKEN"):
        admin_guard(is_open=False, token=lambda: "")(shown)


def client(*, is_healthy: bool = True, is_open: bool = True) -> httpx.AsyncClient:
    """A client of an application with these three routes only."""
    app = FastAPI()
    router = health_router(
        ledger=SimpleNamespace(is_healthy=is_healthy),  # type: ignore[arg-type]  # all that is asked
        metrics=Metrics(version="0", totals=dict),
        guard=admin_guard(is_open=is_open, token=lambda: TOKEN),
    )
    app.include_router(router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


@pytest.mark.parametrize(("is_healthy", "status"), [(True, 200), (False, 503)])
async def test_ready_is_who_can_keep_the_books(is_healthy: bool, status: int) -> None:
    async with client(is_healthy=is_healthy) as asking:
        assert (await asking.get("/readyz")).status_code == status
        assert (await asking.get("/livez")).status_code == 200


async def test_metrics_are_told_to_who_may_ask() -> None:
    async with client(is_open=False) as asking:
        assert (await asking.get("/metrics")).status_code >= 400
        told = await asking.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "gateway_build_info" in told.text
