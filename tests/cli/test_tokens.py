"""`gateway tokens`: the credentials of administrators."""

from tests.cli.commands import Gateway


def test_a_token_is_shown_once(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme/search")
    said = gateway("tokens", "create", "--tenant", "acme/search", "--scopes", "keys,read",
                   "--name", "lead", "--json")  # fmt: skip
    made = said.json
    assert made["token"].startswith(f"gwa_{made['id']}_")
    assert (made["tenant"], made["scopes"]) == ("acme/search", ["read", "keys"])
    (listed,) = gateway("tokens", "list", "--json").json
    assert made["token"] not in str(listed)
    assert (listed["id"], listed["name"], listed["revoked_at"]) == (made["id"], "lead", None)


def test_for_people(gateway: Gateway) -> None:
    said = gateway("tokens", "create", "--expires", "90d")
    assert said.out.startswith("gwa_")
    assert "for the whole gateway, read; its text is shown this once" in said.err
    assert "from now on the console and /admin/v1 ask everybody for a token" in said.err
    key_id = said.out.split("_")[1]
    assert gateway("tokens", "revoke", key_id).err == f"revoked {key_id}\n"
    assert gateway("tokens", "list").out.splitlines()[1].startswith(key_id)


def test_mistakes(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme")
    for arguments, code, why in (
        (["create", "--tenant", "nobody"], 1, "there is no tenant 'nobody'"),
        (["create", "--scopes", "read,root"], 2, "root is no scope; use read, keys"),
        (["create", "--tenant", "acme", "--scopes", "prices"], 2, "the whole gateway's"),
        (["create", "--expires", "2020-01-01"], 2, "has passed"),
        (["revoke", "none"], 1, "there is no token 'none'"),
    ):
        said = gateway("tokens", *arguments)
        assert (said.code, why in said.err) == (code, True), said.err
