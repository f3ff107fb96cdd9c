"""What happened, over HTTP: the same figures that the ledger has, filtered and page by page."""

from typing import Any

import pytest

from gateway.adapters.open_holds import open_holds
from gateway.adapters.reports import entries
from gateway.adapters.views import entry_document, hold_document
from tests.app.admin.scene import OURS, THEIRS, Scene
from tests.journeys.stage import now_us


async def walked(on: Scene, path: str, limit: int = 1) -> list[Any]:
    """All rows of a list, in pages of a few."""
    rows: list[Any] = []
    mark, after = "&" if "?" in path else "?", ""
    while True:
        told = await on.read(f"{path}{mark}limit={limit}{after}")
        rows += told["data"]
        if told["next"] is None:
            return rows
        after = f"&after={told['next']}"


async def test_entries_are_the_ledgers(on: Scene) -> None:
    assert await walked(on, "/entries") == [entry_document(row) for row in entries(on.engine)]


@pytest.mark.parametrize(
    ("query", "tenants"),
    [
        (f"tenant={OURS}", [OURS]),
        ("tenant=acme", [THEIRS, OURS]),
        ("model=gpt-test", [THEIRS, OURS]),
        ("model=gpt-test-2026-01-01", [THEIRS, OURS]),
        ("model=o3", []),
        ("outcome=completed&basis=reported", [THEIRS, OURS]),
        ("outcome=failed", []),
        ("basis=none", []),
        ("since=2000-01-01", [THEIRS, OURS]),
        ("since=2099-01-01T00:00:00Z", []),
        ("until=2000-01-01", []),
        ("until=2099-01-01", [THEIRS, OURS]),
    ],
)
async def test_entries_are_filtered(on: Scene, query: str, tenants: list[str]) -> None:
    assert [row["tenant"] for row in await walked(on, f"/entries?{query}")] == tenants


async def test_entries_of_one_key(on: Scene) -> None:
    (row,) = await walked(on, f"/entries?key_id={on.theirs.key_id}")
    assert row["id"] == on.theirs.request_id


async def test_a_bill_is_explained(on: Scene) -> None:
    told = await on.read(f"/requests/{on.ours.request_id}")
    assert told["total_usd"] == told["cost_usd"] == "0.000360000000"
    assert [(line["meter"], line["quantity"]) for line in told["lines"]] == [
        ("input", 100),
        ("output", 20),
    ]
    assert [one["budget"] for one in told["budgets"]] == ["month", "month"]
    unknown = await on.ask("GET", f"/requests/{on.ours.hold_id}")
    assert "under way still" in unknown.json()["detail"]


async def test_holds_are_the_ledgers(on: Scene) -> None:
    found = await walked(on, "/holds")
    known = [hold_document(hold) for hold in open_holds(on.engine, now_us)]
    assert [{**row, "age_seconds": 0} for row in found] == [
        {**row, "age_seconds": 0} for row in known
    ]
    assert {row["request_id"] for row in found} == {on.ours.hold_id, on.theirs.hold_id}


async def test_usage_is_told_apart_as_asked(on: Scene) -> None:
    rows = await walked(on, "/usage?by=tenant,key")
    assert [(row["tenant"], row["key_id"], row["cost_usd"]) for row in rows] == [
        (THEIRS, on.theirs.key_id, "0.000360000000"),
        (OURS, on.ours.key_id, "0.000360000000"),
    ]
    (total,) = await walked(on, "/usage?by=model&since=2020-01-01&until=2099-01-01")
    assert (total["requests"], total["cost_usd"]) == (2, "0.000720000000")
    (tagged,) = await walked(on, "/usage?by=tag:team")
    assert (tagged["tag:team"], tagged["requests"]) == (None, 2)
    wrong = await on.ask("GET", "/usage?by=team")
    assert (wrong.status_code, "takes tenant, model" in wrong.json()["detail"]) == (400, True)


async def test_alerts_are_told_with_what_became_of_them(on: Scene) -> None:
    rows = await walked(on, "/alerts")
    assert [(row["tenant"], row["threshold_percent"]) for row in rows] == [(THEIRS, 80), (OURS, 80)]
    assert {row["delivered_at"] for row in rows} == {None}
    assert [row["subject"] for row in await walked(on, f"/alerts?tenant={OURS}")] == [OURS]


async def test_the_audit_tells_who_did_what(on: Scene) -> None:
    token = on.token("read", "keys")
    made = await on.ask("POST", "/keys", token=token, json={"tenant": OURS, "name": "audited"})
    (row, *rest) = await walked(on, f"/audit?tenant={OURS}", limit=3)
    assert (row["action"], row["subject"]) == ("key.create", made.json()["id"])
    assert row["by"].startswith("token ")
    assert (row["before"], row["after"]) == (None, {"name": "audited", "expires_at": None})
    assert made.json()["key"] not in str((row, rest))
    numbers = [one["number"] for one in (row, *rest)]
    assert numbers == sorted(numbers, reverse=True)
    assert await walked(on, "/audit?since=2099-01-01") == []
