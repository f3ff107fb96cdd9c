"""What it takes to be what a file says, in words. The law is in `tests/app/test_apply.py`."""

from typing import Any

import pytest

from gateway.core.blueprint import wanted_by
from gateway.core.budget import Budget
from gateway.core.money import PUSD_PER_USD
from gateway.core.plan import Present, plan

MONTH = Budget(
    id="1-a",
    subject="acme",
    period="month",
    zone="UTC",
    is_hard=True,
    limit_pusd=10 * PUSD_PER_USD,
    models=None,
)
PRESENT = Present(
    tenants={"acme": False, "acme/old": False, "zeta": True},
    keys={"k1"},
    policies={"acme": {"store": "deny", "aliases": {"fast": "gpt-5-mini"}}},
    budgets=[MONTH],
)


def words(*paths: str, prune: bool = False, **tenants: Any) -> list[str]:
    """The plan for a file that says this of tenants, and nothing of those paths."""
    file = wanted_by({"tenants": {**{path: {} for path in paths}, **tenants}})
    return [step.words for step in plan(file, PRESENT, is_pruning=prune)]


def test_a_file_without_words_changes_nothing() -> None:
    assert words() == []
    assert words(acme={}) == []
    assert words(acme={"policy": {}, "budgets": []}) == []


def test_tenants_are_created_suspended_and_resumed() -> None:
    assert words("new/team", "new") == ["create tenant new", "create tenant new/team"]
    assert words("new/team") == ["create tenant new/team"]
    assert words(acme={"suspended": True}) == ["suspend tenant acme"]
    assert words(zeta={"suspended": False}) == ["resume tenant zeta"]
    assert words(zeta={"suspended": True}) == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"store": "deny"}, []),
        ({"store": "allow"}, ["policy of acme: store = allow (was deny)"]),
        ({"models": ["a", "b"]}, ["policy of acme: models = a, b"]),
        ({"aliases": {"fast": "gpt-5-mini"}}, []),
        (
            {"aliases": {"slow": "o3"}},
            ["policy of acme: aliases = slow=o3 (was fast=gpt-5-mini)"],
        ),
    ],
)
def test_policies_are_told_field_by_field(policy: dict[str, Any], said: list[str]) -> None:
    assert words(acme={"policy": policy}) == said


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"limit_usd": "10"}, []),
        ({"limit_usd": "10", "tz": "UTC", "hard": True, "thresholds": [50, 80, 100]}, []),
        (
            {"limit_usd": "12.5"},
            ["budget of acme a month: 12.500000000000 USD (was 10.000000000000 USD)"],
        ),
        (
            {"limit_usd": "10", "tz": "UTC", "hard": False},
            ["budget of acme a month: soft (was hard)"],
        ),
        (
            {"limit_usd": "10", "tz": "Asia/Tokyo"},
            ["budget of acme a month: in Asia/Tokyo (was in UTC)"],
        ),
        (
            {"limit_usd": "10", "thresholds": []},
            ["budget of acme a month: no alerts (was alerts at 50,80,100 %)"],
        ),
        (
            {"limit_usd": "1", "models": ["o3"], "thresholds": [9]},
            ["new budget of acme for o3 a month: 1.000000000000 USD, alerts at 9 %"],
        ),
    ],
)  # fmt: skip
def test_budgets_are_told_with_what_they_were(budget: dict[str, Any], said: list[str]) -> None:
    assert words(acme={"budgets": [{"period": "month", **budget}]}) == said


def test_pruning_leaves_what_the_file_says_and_no_more() -> None:
    assert words(prune=True, acme={"policy": {"store": "deny"}}) == [
        "policy of acme: aliases unset (was fast=gpt-5-mini)",
        "end budget of acme a month (was 10.000000000000 USD)",
        "suspend tenant acme/old",
    ]
    assert words("acme/old", "zeta", prune=True) == ["resume tenant zeta"], (
        "those above what is listed are not touched"
    )


def test_a_file_makes_no_keys() -> None:
    file = wanted_by({"keys": {"k1": {"policy": {"store": "deny"}}}})
    assert [step.words for step in plan(file, PRESENT, is_pruning=False)] == [
        "policy of k1: store = deny"
    ]
    with pytest.raises(ValueError, match="there is no key 'k2'"):
        plan(wanted_by({"keys": {"k2": {}}}), PRESENT, is_pruning=False)
