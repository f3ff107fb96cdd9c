"""Policies and budgets over HTTP, by the names that the command line has."""

from typing import Any

import pytest

from tests.app.admin.scene import ABOVE, OURS, Scene


async def test_a_policy_is_changed_field_by_field(on: Scene) -> None:
    path = f"/policies/{on.ours.key_id}"
    told = await on.ask("PATCH", path, json={"models": ["gpt-5", "o3"], "over": "clamp"})
    assert told.json()["policy"] == {"models": ["gpt-5", "o3"], "over": "clamp"}
    told = await on.ask("PATCH", path, json={"over": None, "max_output_tokens_cap": 99})
    assert told.json() == {
        "subject": on.ours.key_id,
        "policy": {"models": ["gpt-5", "o3"], "max_output_tokens_cap": 99},
        "origins": {"models": [on.ours.key_id], "max_output_tokens_cap": [on.ours.key_id]},
    }
    effective = await on.read(f"{path}?effective=true")
    assert effective["policy"]["store"] == "deny"
    assert effective["origins"]["store"] == [OURS]


async def test_a_budget_is_begun_changed_and_ended(on: Scene) -> None:
    path = f"/budgets/{OURS}"
    given: dict[str, Any] = {"period": "week", "models": ["o3"], "limit_usd": "10.50"}
    begun = (await on.ask("PUT", path, json=given)).json()
    assert (begun["limit_usd"], begun["left_usd"]) == ("10.500000000000", "10.500000000000")
    assert (begun["hard"], begun["tz"], begun["thresholds"]) == (True, "UTC", [50, 80, 100])
    more = {"period": "week", "models": ["o3"], "hard": False, "thresholds": [90, 10]}
    changed = (await on.ask("PUT", path, json=more)).json()
    assert (changed["limit_usd"], changed["hard"]) == ("10.500000000000", False)
    assert changed["thresholds"] == [10, 90]
    assert len((await on.read(path))["data"]) == 2
    ended = await on.ask("DELETE", f"{path}?period=week&models=o3")
    assert (ended.status_code, ended.content) == (204, b"")
    again = await on.ask("DELETE", f"{path}?period=week&models=o3")
    assert (again.status_code, "no budget 'week:o3'" in again.text) == (404, True)


async def test_what_is_spent_and_held_is_the_ledgers(on: Scene) -> None:
    (month,) = (await on.read(f"/budgets/{OURS}"))["data"]
    assert (month["spent_usd"], month["held_usd"]) == ("0.000360000000", "0.005000000000")
    above = (await on.read(f"/budgets/{ABOVE}"))["data"]
    assert [one["spent_usd"] for one in above] == ["0.000720000000"]
    listed = (await on.read("/budgets"))["data"]
    assert [one["subject"] for one in listed] == [ABOVE, "acme/ads", OURS]
    page = await on.read("/budgets?limit=2")
    rest = await on.read(f"/budgets?limit=2&after={page['next']}")
    assert page["data"] + rest["data"] == listed


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "why"),
    [
        ("PATCH", "policies", {}, 400, "Nothing to set"),
        ("PATCH", "policies", {"stor": "deny"}, 422, "a policy has no field 'stor'"),
        ("PATCH", "policies", {"store": "maybe"}, 400, "store: invalid enum value"),
        ("PATCH", "policies", [], 422, "body"),
        ("PUT", "budgets", {"period": "day"}, 400, "a new one needs a limit"),
        ("PUT", "budgets", {"period": "day", "limit_usd": 10}, 422, "valid string"),
        ("PUT", "budgets", {"period": "day", "limit_usd": "1e3"}, 422, "body.limit_usd"),
        ("PUT", "budgets", {"period": "day", "limit_usd": "5000000"}, 400, "4,000,000 USD"),
        ("PUT", "budgets", {"period": "day", "limit_usd": "1", "tz": "Moon"}, 400, "time zone"),
        ("PUT", "budgets", {"period": "hour", "limit_usd": "1"}, 422, "body.period"),
    ],
)
async def test_mistakes_are_told(
    on: Scene, method: str, path: str, given: Any, status: int, why: str
) -> None:
    told = await on.ask(method, f"/{path}/{OURS}", json=given)
    assert (told.status_code, why in told.json()["detail"]) == (status, True), told.text
