"""`gateway audit`: what the verbs of the command line leave behind."""

import json

from gateway.cli.access import author
from tests.cli.commands import Gateway


def test_every_verb_signs_what_it_does(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme")
    key = gateway("keys", "create", "--tenant", "acme", "--json").json
    gateway("policies", "set", "acme", "--store", "deny")
    gateway("budgets", "set", "acme", "--period", "day", "--limit-usd", "1.00")
    gateway("prices", "unset", "gpt-5-mini")
    gateway("tokens", "create")
    rows = [json.loads(line) for line in gateway("audit", "--json").out.splitlines()]
    assert [row["action"] for row in reversed(rows)] == [
        "tenant.create", "key.create", "policy.set", "budget.set", "price.unset", "token.create",
    ]  # fmt: skip
    assert {row["by"] for row in rows} == {author()}
    assert author().startswith("command line (")
    assert key["key"] not in str(rows)


def test_for_people(gateway: Gateway) -> None:
    gateway("tenants", "create", "acme/search")
    gateway("policies", "set", "acme/search", "--store", "deny")
    said = gateway("audit", "--limit", "1")
    (head, row) = said.out.splitlines()
    assert head.split() == ["number", "at", "by", "action", "subject", "change"]
    assert row.endswith('policy.set  acme/search  {} → {"store": "deny"}')
    assert "the newest 1" in said.err
    assert len(gateway("audit", "--tenant", "acme/search").out.splitlines()) == 3
    assert len(gateway("audit", "--since", "2099-01-01").out.splitlines()) == 1
