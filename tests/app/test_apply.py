"""Applying a file: twice is once, and afterwards there is nothing to do. On a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event

from gateway.adapters import admin_schema
from gateway.adapters.audit import audit_rows
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory, TenantUnknown
from gateway.adapters.policies import Policies
from gateway.adapters.views import limit_facts
from gateway.app.apply import Applier, PlanChanged
from gateway.core.blueprint import wanted_by
from gateway.core.money import PUSD_PER_USD
from gateway.core.plan import Step
from gateway.core.policy import said_by
from tests.builders import AT_US

AUTHOR = "command line (ana)"
PATHS = ("acme", "acme/ads", "zeta")


def now_us() -> int:
    return AT_US


@contextmanager
def fresh() -> Iterator[Engine]:
    engine = open_engine("sqlite://")
    admin_schema.metadata.create_all(engine)
    yield engine
    engine.dispose()


def applier(engine: Engine) -> Applier:
    return Applier(engine=engine, now_us=now_us, author=AUTHOR)


def apply(engine: Engine, file: dict[str, Any], *, prune: bool = False) -> list[Step]:
    return applier(engine).apply(wanted_by(file), is_pruning=prune)


def plan(engine: Engine, file: dict[str, Any], *, prune: bool = False) -> list[str]:
    steps = applier(engine).plan(wanted_by(file), is_pruning=prune)
    return [step.words for step in steps]


def state(engine: Engine) -> dict[str, dict[str, Any]]:
    """All that a file can speak of, as it is."""
    policies = Policies(engine=engine, now_us=now_us)
    budgets = Budgets(engine=engine, now_us=now_us).list_budgets()
    return {
        row.path: {
            "suspended": row.suspended_at_us is not None,
            "policy": said_by(policies.told(row.path, is_effective=False).policy),
            "budgets": sorted(
                repr(limit_facts(one.budget)) for one in budgets if one.tenant == row.path
            ),
        }
        for row in Directory(engine=engine, now_us=now_us).list_tenants()
    }


policies = st.fixed_dictionaries(
    {},
    optional={
        "models": st.sampled_from([["o3"], ["o3", "gpt-5"]]),
        "store": st.sampled_from(["allow", "deny"]),
        "aliases": st.sampled_from([{"a": "o3"}, {"b": "o3"}, {"a": "o3", "b": "o3"}, {}]),
    },
)
budget = st.fixed_dictionaries(
    {
        "period": st.sampled_from(["total", "month"]),
        "limit_usd": st.sampled_from(["0", "4000000", "0.000000000001"]),
    },
    optional={
        "models": st.sampled_from([["o3"], ["o3", "gpt-5"], ["gpt-5", "o3"]]),
        "tz": st.sampled_from(["UTC", "Europe/Berlin"]),
        "hard": st.booleans(),
        "thresholds": st.sampled_from([[], [1, 1_000], [1_000, 1]]),
    },
)


def name(one: Any) -> tuple[str, ...]:
    """What tells budgets of one tenant apart."""
    return one["period"], *sorted(one.get("models", "-"))


budgets = st.lists(budget, max_size=3, unique_by=name)
files = st.fixed_dictionaries(
    {
        "tenants": st.dictionaries(
            st.sampled_from(PATHS),
            st.fixed_dictionaries(
                {},
                optional={"suspended": st.booleans(), "policy": policies, "budgets": budgets},
            ),
        )
    }
)


def aliased(*names: str) -> dict[str, Any]:
    return {"tenants": {"acme": {"policy": {"aliases": dict.fromkeys(names, "o3")}}}}


BOTH, ONE = aliased("a", "b"), aliased("a")  # aliases are added to, so to have fewer takes more


@settings(max_examples=30)
@example(before=BOTH, file=ONE, prune=False)
@example(before=BOTH, file=ONE, prune=True)
@given(before=files, file=files, prune=st.booleans())
def test_twice_is_once(before: dict[str, Any], file: dict[str, Any], prune: bool) -> None:
    with fresh() as engine:
        apply(engine, before)
        shown = plan(engine, file, prune=prune)
        assert [step.words for step in apply(engine, file, prune=prune)] == shown
        once, deeds = state(engine), len(audit_rows(engine))
        assert plan(engine, file, prune=prune) == []
        assert apply(engine, file, prune=prune) == []
        assert (state(engine), len(audit_rows(engine))) == (once, deeds)


@settings(max_examples=30)
@example(before=BOTH, file=ONE)
@given(before=files, file=files)
def test_what_was_there_before_does_not_matter_to_who_prunes(
    before: dict[str, Any], file: dict[str, Any]
) -> None:
    with fresh() as engine, fresh() as empty:
        apply(engine, before)
        apply(engine, file, prune=True)
        apply(empty, file, prune=True)
        listed = file["tenants"]
        expected, found = state(empty), state(engine)
        assert {path: found[path] for path in listed} == {path: expected[path] for path in listed}
        spoken = {path for path in found if any(f"{one}/".startswith(f"{path}/") for one in listed)}
        assert all(found[path]["suspended"] for path in found.keys() - spoken)


@settings(max_examples=30)
@given(before=files, file=files)
def test_without_pruning_nothing_is_undone(before: dict[str, Any], file: dict[str, Any]) -> None:
    with fresh() as engine:
        apply(engine, before)
        was = state(engine)
        apply(engine, file)
        found = state(engine)
        for path, facts in was.items():
            assert facts["policy"].keys() <= found[path]["policy"].keys()
            assert len(facts["budgets"]) <= len(found[path]["budgets"])
            if "suspended" not in file["tenants"].get(path, {}):
                assert facts["suspended"] == found[path]["suspended"]


FILE = {
    "tenants": {
        "acme": {
            "policy": {"models": ["gpt-5"], "store": "deny"},
            "budgets": [{"period": "month", "limit_usd": "100.00", "tz": "Europe/Berlin"}],
        },
        "acme/ads": {"suspended": True},
    }
}


def test_it_is_done_in_its_authors_name() -> None:
    with fresh() as engine:
        apply(engine, FILE)
        deeds = [row.deed for row in audit_rows(engine)]
    assert {deed.author for deed in deeds} == {AUTHOR}
    assert [deed.action for deed in reversed(deeds)] == [
        "tenant.create", "policy.set", "budget.set", "tenant.create", "tenant.suspend",
    ]  # fmt: skip


def test_all_of_it_or_nothing() -> None:
    with fresh() as engine:

        @event.listens_for(engine, "before_cursor_execute")
        def fail(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("UPDATE tenant"):
                raise RuntimeError("killed")

        with pytest.raises(RuntimeError, match="killed"):
            apply(engine, FILE)
        assert state(engine) == {}
        assert audit_rows(engine) == []


def test_what_was_not_shown_is_not_done() -> None:
    with fresh() as engine:
        one = applier(engine)
        shown = one.plan(wanted_by(FILE), is_pruning=False)
        limit = Given(limit_pusd=PUSD_PER_USD)
        Directory(engine=engine, now_us=now_us).create_tenant("acme")
        Budgets(engine=engine, now_us=now_us).set_budget("acme", period="month", given=limit)
        with pytest.raises(PlanChanged, match="look at it again"):
            one.apply(wanted_by(FILE), is_pruning=False, shown=shown)
        with pytest.raises(TenantUnknown):
            Directory(engine=engine, now_us=now_us).find_tenant("acme/ads")


def test_keys_that_exist_may_be_limited_too() -> None:
    with fresh() as engine:
        directory = Directory(engine=engine, now_us=now_us)
        directory.create_tenant("acme")
        key = directory.issue_key("acme")
        file = {"keys": {key.id: {"budgets": [{"period": "day", "limit_usd": "1"}]}}}
        assert plan(engine, file) == [f"new budget of {key.id} a day: 1.000000000000 USD"]
        apply(engine, file)
        assert plan(engine, file, prune=True) == ["suspend tenant acme"]
        with pytest.raises(ValueError, match="no key 'k2': a file cannot make one"):
            plan(engine, {"keys": {"k2": {}}})
