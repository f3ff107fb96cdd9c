"""Verbs run in an empty folder with nothing set, against a SQLite file of their own."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.adapters import ledger as ledger_limits
from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from gateway.cli.program import main
from gateway.core.exchange import Exchange
from tests.builders import AT_US
from tests.cli.commands import Gateway, Said

Post = Callable[..., None]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("GATEWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with tests is no dead database."""
    monkeypatch.setattr(ledger_limits, "HOLD_SECONDS_MAX", 20.0)


@pytest.fixture
def gateway(capsys: pytest.CaptureFixture[str]) -> Gateway:
    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    return run


@pytest.fixture
def post() -> Post:
    """Writes exchanges through the real ledger, as a gateway would that is never in a hurry."""

    def run(*exchanges: Exchange) -> None:
        engine = open_engine("sqlite:///.gateway/gateway.db")
        migrate.upgrade(engine)

        async def settle() -> None:
            ledger = Ledger(engine=engine, owner_id="test", now_us=lambda: AT_US)
            ledger.start()
            for exchange in exchanges:
                await ledger.hold(exchange.hold)
                await ledger.settle(exchange)
            await ledger.aclose()

        asyncio.run(settle())
        engine.dispose()

    return run
