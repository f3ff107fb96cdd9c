"""`gateway simulate`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Gateway, command


@pytest.fixture
def body() -> Path:
    return written(max_output_tokens=4000, service_tier="default")


def written(**fields: Any) -> Path:
    path = Path("request.json")
    path.write_text(json.dumps({"model": "gpt-6-sol", "input": "hello", **fields}))
    return path


def test_what_would_be_held_is_told_line_by_line(gateway: Gateway, body: Path) -> None:
    said = gateway("simulate", str(body))
    read = body.stat().st_size + 64 + 16
    pusd = read * 2_500_000 + 4000 * 10_000_000
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "admitted  gpt-6-sol",
        f"held      0.{pusd:012d} USD",
        f"          input ≤ {read} tokens from bytes",
        "          output ≤ 4,000 tokens from your request",
        "          price: default",
    ]


def test_the_policy_of_a_tenant_or_a_key_counts(gateway: Gateway, body: Path) -> None:
    gateway("tenants", "create", "acme")
    key = gateway("keys", "create", "--tenant", "acme", "--json").json["id"]
    gateway("policies", "set", "acme", "--max-output-tokens-cap", "100")
    for option in (("--tenant", "acme"), ("--key", key)):
        said = gateway("simulate", str(body), *option)
        assert "changed   max_output_tokens=100 (was 4000)\n" in said.out
        assert "output ≤ 100 tokens from your policy\n" in said.out
    assert gateway("simulate", str(body), "--tenant", "acme", "--key", key).code == 2
    assert "there is no tenant" in gateway("simulate", str(body), "--tenant", "zeta").err


def test_what_goes_to_other_endpoints_is_read_as_they_do(gateway: Gateway) -> None:
    path = str(written(input=None, messages=[], max_tokens=7, n=3))
    said = gateway("simulate", path, "--endpoint", "chat.completions")
    assert "output ≤ 21 tokens from your request\n" in said.out
    wrong = gateway("simulate", path, "--endpoint", "models.list")
    assert (wrong.code, "chat.completions" in wrong.err) == (2, True)


def test_for_programs(gateway: Gateway, body: Path) -> None:
    record = gateway("simulate", str(body), "--json").json
    assert (record["admitted"], record["changes"], record["unbounded"]) == (True, {}, [])
    assert record["hold_usd"].startswith("0.040")
    assert record["reasons"][-1] == "price: default"


def test_what_has_no_bound_is_told_with_what_would_give_it_one(gateway: Gateway) -> None:
    path = str(written(tools=[{"type": "web_search"}]))
    assert "no bound  tools that run upstream" in gateway("simulate", path).out
    assert gateway("simulate", path, "--json").json["unbounded"][0]["param"] == "max_tool_calls"


def test_a_refusal_is_a_failed_check(gateway: Gateway) -> None:
    path = str(written(model="gpt-unknown"))
    said = gateway("simulate", path)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("gateway: refused: No price is known for the model 'gpt-unknown'")
    said = gateway("simulate", path, "--json")
    assert (said.code, said.json["admitted"]) == (1, False)
    assert (said.json["code"], said.json["param"]) == ("model_not_priced", "model")


def test_a_model_without_a_price_is_held_at_nothing_where_that_is_allowed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_POLICY_UNPRICED", "record")
    path = str(written(model="gpt-unknown"))
    assert "held      nothing" in gateway("simulate", path).out
    assert gateway("simulate", path, "--json").json["hold_usd"] is None


@pytest.fixture
def key(gateway: Gateway) -> str:
    gateway("tenants", "create", "acme")
    return str(gateway("keys", "create", "--tenant", "acme", "--json").json["id"])


def limit(gateway: Gateway, subject: str, usd: str, *options: str, period: str = "total") -> None:
    gateway("budgets", "set", subject, "--limit-usd", usd, "--period", period, *options)


def test_the_budgets_on_its_way_are_told(gateway: Gateway, body: Path, key: str) -> None:
    limit(gateway, "acme", "5")
    limit(gateway, "acme", "0.01", "--soft", period="day")
    limit(gateway, "acme", "0.01", "--models", "gpt-5", period="day")
    limit(gateway, key, "1")
    said = gateway("simulate", str(body), "--key", key)
    assert said.code == 0
    assert said.out.splitlines()[-3:] == [
        "budget    acme total: 5.000000000000 USD left of 5.000000000000, enough",
        "budget    acme day: 0.010000000000 USD left of 0.010000000000, soft: refuses nothing",
        f"budget    {key} total: 1.000000000000 USD left of 1.000000000000, enough",
    ]
    record = gateway("simulate", str(body), "--tenant", "acme", "--json").json
    assert record["admitted"]
    assert record["budgets"][0] == {
        "subject": "acme",
        "budget": "total",
        "hard": True,
        "left_usd": "5.000000000000",
        "fits": True,
    }


def test_a_budget_that_would_refuse_it_does(gateway: Gateway, body: Path, key: str) -> None:
    limit(gateway, "acme", "0.01")
    said = gateway("simulate", str(body), "--key", key)
    assert said.code == 1
    assert said.out.startswith("refused   gpt-6-sol\nheld      0.04")
    assert said.out.endswith(" USD left of 0.010000000000, too little\n")
    assert said.err.startswith("gateway: refused: This request may cost up to 0.04")
    assert said.err.endswith("(insufficient_quota)\n")
    said = gateway("simulate", str(body), "--key", key, "--json")
    record = said.json
    assert (said.code, record["admitted"], record["code"]) == (1, False, "insufficient_quota")
    assert not record["budgets"][0]["fits"]


def test_a_policy_that_fits_fits(gateway: Gateway, body: Path, key: str) -> None:
    limit(gateway, "acme", "0.01")
    gateway("policies", "set", "acme", "--fit", "clamp")
    said = gateway("simulate", str(body), "--key", key)
    assert said.code == 0
    assert "changed   max_output_tokens=" in said.out
    assert said.out.endswith(", enough\n")
    limit(gateway, "acme", "0.0001")
    assert gateway("simulate", str(body), "--key", key).code == 1


def test_what_has_no_bound_is_refused_by_a_hard_budget(gateway: Gateway, key: str) -> None:
    path = str(written(tools=[{"type": "web_search"}]))
    limit(gateway, "acme", "1000", "--soft")
    assert gateway("simulate", path, "--key", key).code == 0
    limit(gateway, "acme", "1000", "--hard")
    assert gateway("simulate", path, "--key", key).err.endswith("(unbounded_cost)\n")


def test_a_model_without_a_price_counts_by_its_name(
    gateway: Gateway, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_POLICY_UNPRICED", "record")
    limit(gateway, "acme", "1", "--soft", "--models", "gpt-unknown")
    said = gateway("simulate", str(written(model="gpt-unknown")), "--key", key)
    assert "budget    acme total:gpt-unknown: " in said.out


def test_the_real_command_reads_a_file(body: Path) -> None:
    assert command("simulate", str(body)).code == 0
    assert command("simulate", "absent.json").code == 2
