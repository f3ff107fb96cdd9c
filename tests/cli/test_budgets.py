"""`gateway budgets`: names and forms that operators' scripts rely on."""

from typing import Any

import pytest
from sqlalchemy import insert

from gateway.adapters import schema
from gateway.adapters.database import open_engine, write_transaction
from tests.cli.commands import Gateway, command

USD = 10**12


@pytest.fixture
def key_id(gateway: Gateway) -> str:
    gateway("tenants", "create", "acme/search")
    return str(gateway("keys", "create", "--tenant", "acme/search", "--json").json["id"])


def show(gateway: Gateway, subject: str) -> Any:
    return gateway("budgets", "show", subject, "--json").json


def test_a_budget_as_scripts_know_it(gateway: Gateway, key_id: str) -> None:
    said = gateway("budgets", "set", "acme", "--limit-usd", "10.00", "--period", "month")
    assert (said.code, said.out) == (0, "")
    assert said.err == "budget of acme: 10.000000000000 USD a month in UTC, hard\n"
    found = show(gateway, "acme")
    assert found.pop("period_start").endswith("-01T00:00:00.000000Z")
    assert found.pop("period_end").endswith("-01T00:00:00.000000Z")
    (only,) = found.pop("budgets")
    assert found == {
        "subject": "acme",
        "tenant": "acme",
        "limit_usd": "10.000000000000",
        "spent_usd": "0.000000000000",
        "held_usd": "0.000000000000",
        "left_usd": "10.000000000000",
        "excess_usd": "0.000000000000",
        "period": "month",
        "tz": "UTC",
        "hard": True,
        "models": None,
        "thresholds": [50, 80, 100],
    }
    assert found.items() <= only.items()


def test_every_option(gateway: Gateway, key_id: str) -> None:
    said = gateway(
        *("budgets", "set", key_id, "--limit-usd", "0.000000000001", "--period", "week"),
        *("--tz", "Europe/Berlin", "--soft", "--models", "gpt-5, gpt-5-mini"),
        *("--thresholds", "90,100"),
    )
    assert said.err == (
        f"budget of {key_id} for gpt-5, gpt-5-mini: "
        "0.000000000001 USD a week in Europe/Berlin, soft\n"
    )
    found = show(gateway, key_id)
    assert (found["subject"], found["tenant"]) == (key_id, "acme/search")
    assert (found["limit_usd"], found["hard"]) == ("0.000000000001", False)
    assert (found["tz"], found["thresholds"]) == ("Europe/Berlin", [90, 100])
    assert found["models"] == ["gpt-5", "gpt-5-mini"]


def test_what_is_not_named_stays(gateway: Gateway, key_id: str) -> None:
    for options in (["--limit-usd", "5", "--thresholds", ""], ["--soft"], ["--limit-usd", "7"]):
        assert gateway("budgets", "set", "acme", "--period", "day", *options).code == 0
    found = show(gateway, "acme")
    assert (found["limit_usd"], found["hard"], found["thresholds"]) == (
        "7.000000000000",
        False,
        [],
    )


def test_the_scarcest_comes_first(gateway: Gateway, key_id: str) -> None:
    for period, usd in (("month", "2"), ("day", "30"), ("total", "200")):
        gateway("budgets", "set", "acme", "--limit-usd", usd, "--period", period)
    found = show(gateway, "acme")
    assert (found["period"], found["limit_usd"]) == ("month", "2.000000000000")
    assert [each["period"] for each in found["budgets"]] == ["month", "day", "total"]
    listed = gateway("budgets", "list", "--json").json
    assert [each["period"] for each in listed] == ["total", "day", "month"]
    assert (listed[0]["period_start"], listed[0]["period_end"]) == (None, None)
    assert listed[2].items() <= found.items()


def test_what_is_spent_and_held(gateway: Gateway, key_id: str) -> None:
    gateway("budgets", "set", "acme", "--limit-usd", "10", "--period", "total")
    engine = open_engine("sqlite:///.gateway/gateway.db")
    with write_transaction(engine) as connection:
        budget_id = connection.scalar(schema.budget.select())
        connection.execute(
            insert(schema.budget_period).values(
                budget_id=budget_id,
                period_start_us=0,
                is_hard=True,
                limit_pusd=10 * USD,
                held_pusd=2 * USD,
                spent_pusd=3 * USD,
                excess_pusd=0,
            )
        )
    engine.dispose()
    gateway("budgets", "set", "acme", "--limit-usd", "4.5", "--period", "total")
    found = show(gateway, "acme")
    assert (found["spent_usd"], found["held_usd"]) == ("3.000000000000", "2.000000000000")
    assert (found["left_usd"], found["excess_usd"]) == ("0.000000000000", "0.500000000000")
    table = gateway("budgets", "show", "acme").out.splitlines()
    assert table[0].split() == [
        "subject", "budget", "limit_usd", "spent_usd", "held_usd", "left_usd", "excess_usd",
        "hard", "period_end", "tz",
    ]  # fmt: skip
    assert table[1].split()[:4] == ["acme", "total", "4.500000000000", "3.000000000000"]


def test_an_ended_budget_is_gone(gateway: Gateway, key_id: str) -> None:
    for models in ([], ["--models", "gpt-5"]):
        gateway("budgets", "set", "acme", "--limit-usd", "1", "--period", "day", *models)
    said = gateway("budgets", "end", "acme", "--period", "day", "--models", "gpt-5")
    assert (said.code, said.err) == (0, "ended the budget of acme for gpt-5 a day\n")
    assert [each["models"] for each in show(gateway, "acme")["budgets"]] == [None]


def test_a_model_without_a_price_is_told(gateway: Gateway, key_id: str) -> None:
    said = gateway(
        "budgets", "set", "acme", "--limit-usd", "1", "--period", "day", "--models", "gpt-5-mimi"
    )
    assert said.code == 0
    assert "no price is known for 'gpt-5-mimi'; did you mean gpt-5-mini?" in said.err


def test_as_a_command(gateway: Gateway, key_id: str) -> None:
    gateway("budgets", "set", "acme", "--limit-usd", "1", "--period", "day")
    said = command("budgets", "show", "acme", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["left_usd"] == "1.000000000000"


DAILY = ["--period", "day"]
MISTAKES: list[tuple[list[str], int, str]] = [
    (["set", "none", "--limit-usd", "1", *DAILY], 1, "there is no tenant and no key 'none'"),
    (["set", "acme", "--limit-usd", "ten", *DAILY], 2, "--limit-usd: 'ten' is not a decimal"),
    (["set", "acme", "--limit-usd", "-1", *DAILY], 2, "it must be zero or more"),
    (["set", "acme", "--limit-usd", "0.0000000000001", *DAILY], 2, "more than 12 decimals"),
    (["set", "acme", "--limit-usd", "4000000.01", *DAILY], 2, "from 0 to 4,000,000 USD a period"),
    (["set", "acme", "--limit-usd", "1", *DAILY, "--tz", "Berlin"], 2, "'Europe/Berlin'"),
    (["set", "acme", "--limit-usd", "1", *DAILY, "--thresholds", "half"], 2, "write 50,80,100"),
    (["set", "acme", "--limit-usd", "1", *DAILY, "--models", ""], 2, "names without spaces"),
    (["set", "acme", *DAILY], 2, "acme has no budget 'day' yet: a new one needs a limit"),
    (["end", "acme", *DAILY], 1, "acme has no budget 'day'"),
    (["show", "acme"], 1, "no budget is set on acme itself; `gateway budgets list` lists all"),
    (["show", "none"], 1, "there is no tenant and no key 'none'"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES)
def test_a_mistake_is_one_clear_line(
    gateway: Gateway, key_id: str, arguments: list[str], code: int, words: str
) -> None:
    said = gateway("budgets", *arguments)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert words in said.err
    assert gateway("budgets", "list", "--json").json == []
