"""`gateway apply`: the plan first, then all of it. The law is in `tests/app/test_apply.py`."""

from pathlib import Path

import pytest

from tests.cli.commands import Gateway

FILE = """
[tenants.acme]
policy = { models = ["gpt-5-mini"], store = "deny" }

[[tenants.acme.budgets]]
period = "month"
limit_usd = "100.00"

[tenants."acme/search"]
"""
PLAN = """\
create tenant acme
policy of acme: models = gpt-5-mini; store = deny
new budget of acme a month: 100.000000000000 USD
create tenant acme/search
"""


@pytest.fixture(autouse=True)
def file() -> Path:
    path = Path("tenants.toml")
    path.write_text(FILE)
    return path


def test_the_plan_is_shown_and_nothing_done(gateway: Gateway) -> None:
    gateway("migrate")
    said = gateway("apply", "-f", "tenants.toml", "--plan")
    assert (said.code, said.out) == (0, PLAN)
    assert gateway("tenants", "list", "--json").json == []


def test_without_anybody_to_ask_it_wants_a_yes(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    said = gateway("apply", "-f", "tenants.toml")
    assert (said.code, "then say --yes" in said.err) == (2, True)
    assert gateway("tenants", "list", "--json").json == []


def test_it_is_done_once(gateway: Gateway) -> None:
    said = gateway("apply", "-f", "tenants.toml", "--yes")
    assert (said.code, said.out, said.err) == (0, PLAN, "done: 4 steps\n")
    assert gateway("budgets", "show", "acme", "--json").json["limit_usd"] == "100.000000000000"
    again = gateway("apply", "-f", "tenants.toml", "--yes")
    assert (again.out, again.err) == ("", "nothing to do: all is as tenants.toml says\n")


def test_json_is_for_programs(gateway: Gateway) -> None:
    done = gateway("apply", "-f", "tenants.toml", "--yes", "--json")
    assert done.json == {"applied": True, "steps": PLAN.splitlines()}
    again = gateway("apply", "-f", "tenants.toml", "--plan", "--json")
    assert again.json == {"applied": False, "steps": []}


def test_the_documented_file_can_be_applied(gateway: Gateway, file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")
    file.write_text(page.partition("```toml tenants.toml\n")[2].partition("```")[0])
    assert gateway("apply", "-f", "tenants.toml", "--yes").err == "done: 9 steps\n"
    assert gateway("apply", "-f", "tenants.toml", "--plan", "--prune").out == ""


def test_pruning_is_asked_for(gateway: Gateway, file: Path) -> None:
    gateway("apply", "-f", "tenants.toml", "--yes")
    gateway("tenants", "create", "zeta")
    file.write_text("[tenants.acme]\n")
    assert gateway("apply", "-f", "tenants.toml", "--plan").out == ""
    assert gateway("apply", "-f", "tenants.toml", "--plan", "--prune").out.splitlines() == [
        "policy of acme: models unset (was gpt-5-mini); store unset (was deny)",
        "end budget of acme a month (was 100.000000000000 USD)",
        "suspend tenant acme/search",
        "suspend tenant zeta",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tenants", "tenants.toml: "),
        ("[tenant.a]", "unknown field tenant"),
        ("[[tenants.a.budgets]]\nperiod = 'day'\nlimit_usd = 1.0", "Expected str, got float"),
        ("[keys.none]", "there is no key 'none'"),
    ],
)
def test_mistakes(gateway: Gateway, file: Path, text: str, why: str) -> None:
    gateway("migrate")
    file.write_text(text)
    said = gateway("apply", "-f", "tenants.toml", "--yes")
    assert (said.code, said.out) == (1, "")
    assert why in said.err
    assert gateway("apply", "-f", "none.toml").code == 1
