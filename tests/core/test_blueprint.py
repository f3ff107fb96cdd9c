"""What a file may say of tenants, and what cannot be."""

from typing import Any

import pytest

from gateway.core.blueprint import BudgetWanted, Wanted, wanted_by
from gateway.core.money import PUSD_PER_USD


def tenant(**told: Any) -> dict[str, Any]:
    return {"tenants": {"acme": told}}


def test_what_is_not_said_stays_unsaid() -> None:
    assert wanted_by({}) == ()
    assert wanted_by(tenant()) == (Wanted(subject="acme"),)
    nothing = tenant(policy={}, budgets=[])
    assert wanted_by(nothing) == (Wanted(subject="acme", policy={}, budgets=()),)


def test_parents_come_before_children_and_keys_last() -> None:
    said = wanted_by({"tenants": {"b": {}, "a/x": {}, "a": {}}, "keys": {"a0": {}}})
    assert [one.subject for one in said] == ["a", "a/x", "b", "a0"]
    assert [one.is_key for one in said] == [False, False, False, True]


def test_values_are_read_as_the_verbs_read_them() -> None:
    budget = {
        "period": "day",
        "limit_usd": "1.5",
        "models": ["b", "a", "b"],
        "tz": "Europe/Berlin",
        "hard": False,
        "thresholds": [80, 50, 80],
    }
    (one,) = wanted_by(tenant(policy={"max-output-tokens-cap": 99}, budgets=[budget]))
    assert one.policy == {"max_output_tokens_cap": 99}
    assert one.budgets == (
        BudgetWanted(
            period="day",
            models=("a", "b"),
            limit_pusd=PUSD_PER_USD * 3 // 2,
            zone="Europe/Berlin",
            is_hard=False,
            thresholds_pct=(50, 80),
        ),
    )


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"tenant": {}}, "unknown field tenant"),
        (tenant(budget=[]), "unknown field budget - at $.tenants[...]"),
        ({"tenants": {"A": {}}}, "'A' is no tenant name"),
        (tenant(policy={"stor": "deny"}), "the policy of acme: a policy has no field 'stor'; did"),
        (tenant(policy={"store": "maybe"}), "the policy of acme: store: invalid enum value"),
        (tenant(budgets=[{"period": "day"}]), "missing required field limit_usd"),
        (tenant(budgets=[{"period": "day", "limit_usd": 10.0}]), "Expected str, got float"),
        (tenant(budgets=[{"period": "day", "limit_usd": "ten"}]), "a budget of acme: 'ten' is not"),
        (tenant(budgets=[{"period": "day", "limit_usd": "4000001"}]), "from 0 to 4,000,000 USD"),
        (tenant(budgets=[{"period": "hour", "limit_usd": "1"}]), "Invalid enum value 'hour'"),
        (tenant(budgets=[{"period": "day", "limit_usd": "1", "tz": "Moon"}]), "Moon"),
        (
            tenant(budgets=[{"period": "day", "limit_usd": "1", "models": []}]),
            "a budget of acme: a budget's models are names",
        ),
        (
            tenant(budgets=[{"period": "day", "limit_usd": "1", "thresholds": [0]}]),
            "a budget of acme: a threshold is from 1",
        ),
        (
            tenant(budgets=[{"period": "day", "limit_usd": n} for n in "12"]),
            "a budget of acme: day is there twice",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place(file: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the words are compared below
        wanted_by(file)
    assert why in str(told.value)
