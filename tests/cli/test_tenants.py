"""`gateway tenants`."""

import pytest

from tests.cli.commands import Gateway


def test_creating_a_path_creates_its_parents(gateway: Gateway) -> None:
    said = gateway("tenants", "create", "acme/search")
    assert (said.code, said.out, said.err) == (0, "", "created acme, acme/search\n")
    assert gateway("tenants", "create", "acme").err == "acme is there already\n"
    rows = gateway("tenants", "list", "--json").json
    assert [row["path"] for row in rows] == ["acme", "acme/search"]
    assert set(rows[0]) == {"path", "created_at", "suspended_at"}
    assert rows[0]["suspended_at"] is None


def test_a_new_tenant_is_given_what_settings_name(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TENANTS_BUDGET_LIMIT_USD", "25")
    monkeypatch.setenv("GATEWAY_TENANTS_MAX_OUTPUT_TOKENS_DEFAULT", "4096")
    assert gateway("tenants", "create", "acme/search").err.splitlines() == [
        "created acme, acme/search",
        "budget of acme/search: 25.000000000000 USD a month in UTC, hard",
        "policy of acme/search: max_output_tokens_default",
    ]
    (budget,) = gateway("budgets", "list", "--json").json
    assert (budget["subject"], budget["limit_usd"]) == ("acme/search", "25.000000000000")
    policy = gateway("policies", "show", "acme/search", "--effective", "--json").json["policy"]
    assert policy == {"max_output_tokens_default": 4096}
    for path in ("acme", "acme/search"):  # they were there
        assert gateway("tenants", "create", path).err == f"{path} is there already\n"


def test_a_new_tenants_budget_may_be_soft(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TENANTS_BUDGET_LIMIT_USD", "0.5")
    monkeypatch.setenv("GATEWAY_TENANTS_BUDGET_PERIOD", "day")
    monkeypatch.setenv("GATEWAY_TENANTS_BUDGET_IS_HARD", "false")
    said = gateway("tenants", "create", "acme")
    assert said.err.endswith("budget of acme: 0.500000000000 USD a day in UTC, soft\n")


def test_suspend_and_resume(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme")
    assert gateway("tenants", "suspend", "acme").err == "suspended acme\n"
    assert gateway("tenants", "list", "--json").json[0]["suspended_at"] is not None
    assert gateway("tenants", "resume", "acme").err == "resumed acme\n"
    assert gateway("tenants", "list", "--json").json[0]["suspended_at"] is None


def test_a_list_for_people(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme")
    header, row = gateway("tenants", "list").out.splitlines()
    assert header.split() == ["path", "created_at", "suspended_at"]
    assert row.startswith("acme ")


def test_mistakes(gateway: Gateway) -> None:
    assert gateway("tenants", "create", "Not A Path").code == 2
    said = gateway("tenants", "suspend", "nobody")
    assert (said.code, said.err) == (1, "gateway: there is no tenant 'nobody'\n")
