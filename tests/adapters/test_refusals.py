"""Refusals are kept for a while, with all that was said."""

import asyncio

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.ledger import Ledger
from gateway.adapters.refusals import find_refusal, forget_refusals, keep_newest, refusal_row
from gateway.core.errors import LedgerUnavailable
from tests import builders
from tests.fakes import ledgerview


async def note(ledger: Ledger, request_id: str, *, at_us: int = 1, message: str = "no") -> None:
    hold = builders.hold(request_id=request_id, created_at_us=at_us, hold_pusd=70)
    reasons = ("input \u2264 5 tokens", "price: default")
    ledger.note(refusal_row(hold, code="budget_held", message=message, reasons=reasons))
    await ledger.hold(builders.hold())  # it rides along


async def test_a_refusal_is_found_by_its_request(engine: Engine, ledger: Ledger) -> None:
    await note(ledger, "req-1", message='say "why" \u2264 \ud800')
    found = find_refusal(engine, "req-1")
    assert found is not None
    assert (found.code, found.hold_pusd, found.tenant) == ("budget_held", 70, "acme/search")
    assert found.message == 'say "why" \u2264 \ud800'
    assert found.reasons == ("input \u2264 5 tokens", "price: default")
    assert find_refusal(engine, "req-2") is None


async def test_the_first_that_was_said_stands(engine: Engine, ledger: Ledger) -> None:
    await note(ledger, "req-1", message="first")
    await note(ledger, "req-1", message="second")
    found = find_refusal(engine, "req-1")
    assert found is not None
    assert found.message == "first"


@pytest.mark.parametrize(("kept_max", "left"), [(2, {"c", "d"}), (4, {"a", "b", "c", "d"})])
async def test_only_the_newest_are_kept(
    engine: Engine,
    ledger: Ledger,
    kept_max: int,
    left: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.adapters.refusals.FORGOTTEN_MAX", 1)
    for at_us, name in enumerate("abcd"):
        await note(ledger, name, at_us=at_us)
    forget_refusals(engine, kept_max=kept_max)
    assert ledgerview.ids(engine, schema.refusal) == left


async def test_a_closed_ledger_notes_nothing(engine: Engine) -> None:
    ledger = Ledger(engine=engine, owner_id="me", now_us=lambda: 1)
    ledger.start()
    await ledger.aclose()
    with pytest.raises(LedgerUnavailable):
        await note(ledger, "req-1")
    assert find_refusal(engine, "req-1") is None


async def test_the_newest_are_kept_while_a_gateway_runs(
    engine: Engine,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    forgotten: list[Engine] = []

    def forget(engine: Engine) -> None:
        forgotten.append(engine)
        if len(forgotten) == 1:
            raise OSError("away")

    monkeypatch.setattr("gateway.adapters.refusals.forget_refusals", forget)
    keeping = asyncio.ensure_future(keep_newest(engine, pause_seconds=0.001))
    async with asyncio.timeout(20):
        while len(forgotten) < 2:
            await asyncio.sleep(0.005)
    keeping.cancel()
    assert set(forgotten) == {engine}
    assert "tried again" in caplog.text
