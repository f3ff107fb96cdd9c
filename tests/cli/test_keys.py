"""`gateway keys`."""

import json

from gateway.core.tenant import present
from tests.cli.commands import Gateway, Said, command


def issued(gateway: Gateway, *options: str) -> dict[str, str]:
    gateway("tenants", "create", "acme/search")
    said = gateway("keys", "create", "--tenant", "acme/search", "--json", *options)
    record: dict[str, str] = said.json
    return record


def test_a_key_is_shown_once(gateway: Gateway) -> None:
    key = issued(gateway)
    assert list(key) == ["id", "key", "tenant"]
    presented = present(key["key"])
    assert presented is not None
    assert (presented.id, key["tenant"]) == (key["id"], "acme/search")
    shown = gateway("keys", "list", "--json").out + gateway("keys", "list").out
    assert key["key"].split("_")[2] not in shown


def test_without_json_the_key_alone_is_data(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme")
    said = gateway("keys", "create", "--tenant", "acme")
    assert present(said.out.strip()) is not None
    assert said.out.strip() not in said.err


def test_the_list(gateway: Gateway) -> None:
    key = issued(gateway, "--name", "ci", "--expires", "2099-01-31")
    (row,) = gateway("keys", "list", "--json").json
    created_at = row.pop("created_at")
    assert created_at.endswith("Z")
    assert row == {
        "id": key["id"],
        "tenant": "acme/search",
        "name": "ci",
        "expires_at": "2099-01-31T00:00:00.000000Z",
        "revoked_at": None,
        "replaced_by": None,
    }
    assert gateway("keys", "list", "--tenant", "acme", "--json").json == []


def test_rotation_leaves_the_old_key_for_the_overlap(gateway: Gateway) -> None:
    old = issued(gateway)
    said = gateway("keys", "rotate", old["id"], "--overlap", "24h", "--json")
    assert said.err == f"{old['id']} stays valid for 24h\n"
    rows = {row["id"]: row for row in gateway("keys", "list", "--json").json}
    assert rows[old["id"]]["replaced_by"] == said.json["id"]
    assert rows[old["id"]]["expires_at"] is not None
    assert gateway("keys", "rotate", said.json["id"]).err.endswith(" has ended\n")


def test_revocation(gateway: Gateway) -> None:
    key = issued(gateway)
    assert gateway("keys", "revoke", key["id"]).err == f"revoked {key['id']}\n"
    assert gateway("keys", "list", "--json").json[0]["revoked_at"] is not None
    assert gateway("keys", "revoke", key["id"]).code == 1


def test_mistakes(gateway: Gateway) -> None:
    def ended(said: Said) -> tuple[int, str]:
        return said.code, said.err

    assert ended(gateway("keys", "create", "--tenant", "nobody")) == (
        1,
        "gateway: there is no tenant 'nobody'; create it first: `gateway tenants create nobody`\n",
    )
    assert ended(gateway("keys", "revoke", "k1")) == (1, "gateway: there is no key 'k1'\n")
    assert gateway("keys", "create", "--tenant", "a", "--expires", "2020-01-01").code == 2
    assert gateway("keys", "rotate", "k1", "--overlap", "soon").code == 2


def test_as_commands() -> None:
    assert command("tenants", "create", "acme").code == 0
    said = command("keys", "create", "--tenant", "acme", "--json")
    assert said.err == ""
    assert present(json.loads(said.out)["key"]) is not None
