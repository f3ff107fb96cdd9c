"""`gateway entries`: names and forms that operators' scripts rely on."""

import json
from typing import Any

import pytest

from gateway.cli import entries
from tests.builders import AT_US, exchange, hold
from tests.cli.commands import Gateway, Said, command
from tests.cli.conftest import Post

NAMES = [
    "id", "created_at", "tenant", "key_id", "response_id", "model", "service_tier", "outcome",
    "client_gone", "basis", "input_tokens", "cached_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "cost_usd", "hold_usd", "price_version", "tags",
]  # fmt: skip


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_one_object_a_line_with_the_names_that_stay(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(request_id="req-a", created_at_us=AT_US + 7, tags={"team": "x"})))
    (entry,) = lines(gateway("entries", "--json"))
    assert {name: entry[name] for name in NAMES} == {
        "id": "req-a",
        "created_at": "2026-11-22T12:00:00.000007Z",
        "tenant": "acme/search",
        "key_id": "k00000000001",
        "response_id": "resp_1",
        "model": "gpt-test-2026-01-01",
        "service_tier": "default",
        "outcome": "completed",
        "client_gone": False,
        "basis": "reported",
        "input_tokens": 100,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 20,
        "reasoning_tokens": 0,
        "cost_usd": "0.000360000000",
        "hold_usd": "0.005000000000",
        "price_version": "2026-11-22+000000000000",
        "tags": {"team": "x"},
    }
    assert entry["requested_model"] == "gpt-test"
    assert entry["duration_seconds"] == 1.5


def test_what_is_not_known_is_null(gateway: Gateway, post: Post) -> None:
    post(exchange(usage=None, model=None, cost_pusd=None, first_byte_seconds=None))
    (entry,) = lines(gateway("entries", "--json"))
    assert entry["cost_usd"] is entry["input_tokens"] is entry["first_byte_seconds"] is None
    assert entry["model"] == "gpt-test"


def test_all_of_them_newest_first(
    gateway: Gateway, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "_PAGE_ROWS", 2)
    post(*(exchange(hold=hold(request_id=f"r{i}", created_at_us=AT_US + i)) for i in range(5)))
    assert [e["id"] for e in lines(gateway("entries", "--json"))] == ["r4", "r3", "r2", "r1", "r0"]
    assert [e["id"] for e in lines(gateway("entries", "--json", "--limit", "3"))] == [
        "r4", "r3", "r2",
    ]  # fmt: skip
    said = gateway("entries", "--limit", "1")
    assert said.out.splitlines()[1].startswith("r4 ")
    assert said.err == "the newest 1; --limit shows more, --json all\n"


def test_of_a_tenant_and_since(gateway: Gateway, post: Post) -> None:
    post(
        exchange(hold=hold(request_id="a", tenant="acme")),
        exchange(hold=hold(request_id="b", tenant="acme/x", created_at_us=AT_US - 1)),
        exchange(hold=hold(request_id="c", tenant="acmeish")),
    )
    assert {e["id"] for e in lines(gateway("entries", "--tenant", "acme", "--json"))} == {"a", "b"}
    since = gateway("entries", "--since", "2026-11-22T12:00Z", "--json")
    assert {e["id"] for e in lines(since)} == {"a", "c"}


def test_none_is_no_line(gateway: Gateway, post: Post) -> None:
    post()
    assert gateway("entries", "--json").out == ""


def test_as_a_command(post: Post) -> None:
    post(exchange())
    said = command("entries", "--json")
    assert (said.code, said.err) == (0, "")
    assert lines(said)[0]["cost_usd"] == "0.000360000000"


def test_without_a_database(gateway: Gateway) -> None:
    said = gateway("entries", "--json")
    assert (said.code, said.out) == (4, "")
    assert said.err == (
        "gateway: there is no database at .gateway/gateway.db yet: `gateway migrate` creates it\n"
    )
