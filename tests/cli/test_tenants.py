"""`gateway tenants`."""

from tests.cli.commands import Gateway


def test_creating_a_path_creates_its_parents(gateway: Gateway) -> None:
    said = gateway("tenants", "create", "acme/search")
    assert (said.code, said.out, said.err) == (0, "", "created acme, acme/search\n")
    assert gateway("tenants", "create", "acme").err == "acme is there already\n"
    rows = gateway("tenants", "list", "--json").json
    assert [row["path"] for row in rows] == ["acme", "acme/search"]
    assert set(rows[0]) == {"path", "created_at", "suspended_at"}
    assert rows[0]["suspended_at"] is None


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
