"""Policies as administrators write them."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select, update

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.policies import ALL, Policies, SubjectUnknown
from gateway.core.inheritance import Level
from gateway.core.policy import Policy
from tests.adapters.conftest import now_us


@pytest.fixture
def key_id(engine: Engine) -> str:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant("acme/search")
    return directory.issue_key("acme/search").id


@pytest.fixture
def policies(engine: Engine) -> Policies:
    return Policies(engine=engine, now_us=now_us)


def own(policies: Policies, subject: str) -> Policy:
    said = {level.subject: level.policy for level in policies.levels(subject)}
    return said.get(subject, Policy())


def changes(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(schema.change.c.kind, schema.change.c.subject))
        return [(kind, subject) for kind, subject in rows]


def documents(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(schema.policy.c.subject, schema.policy.c.document))
        return {row.subject: row.document for row in rows}


def test_what_is_not_named_stays_as_it_is(policies: Policies, key_id: str) -> None:
    assert own(policies, "acme") == Policy()
    policies.change("acme", given={"models": ["a", "b"], "over": "deny"})
    policies.change("acme", given={"max_output_tokens_cap": 100})
    both = policies.change("acme", given={"models": ["c"]}, unset=["over"])
    assert both == own(policies, "acme") == Policy(models=("c",), max_output_tokens_cap=100)


def test_aliases_are_added_until_they_are_unset(policies: Policies, key_id: str) -> None:
    policies.change(key_id, given={"aliases": {"fast": "a"}})
    policies.change(key_id, given={"aliases": {"slow": "b"}})
    assert own(policies, key_id).aliases == {"fast": "a", "slow": "b"}
    policies.change(key_id, given={"aliases": {"new": "c"}}, unset=["aliases"])
    assert own(policies, key_id).aliases == {"new": "c"}
    assert policies.change(key_id, given={}, unset=["aliases"]) == Policy()


def test_a_policy_that_says_nothing_is_not_kept(
    policies: Policies, key_id: str, engine: Engine
) -> None:
    policies.change("acme", given={"store": "deny"})
    assert documents(engine) == {"acme": '{"store":"deny"}'}
    policies.change("acme", given={}, unset=["store", "over"])
    assert documents(engine) == {}


def test_levels_come_root_first_and_the_key_last(policies: Policies, key_id: str) -> None:
    for subject, over in (("acme", "deny"), (key_id, "clamp")):
        policies.change(subject, given={"over": over})
    top = Level(subject="acme", policy=Policy(over="deny"))
    assert policies.levels("acme") == policies.levels("acme/search") == [top]
    assert policies.levels(key_id) == [top, Level(subject=key_id, policy=Policy(over="clamp"))]


def test_every_change_is_in_the_log(policies: Policies, key_id: str, engine: Engine) -> None:
    before = changes(engine)
    policies.change("acme", given={"store": "deny"})
    policies.change(key_id, given={"store": "deny"})
    assert changes(engine) == [*before, ("policy", "acme"), ("policy", key_id)]


@pytest.mark.parametrize("given", [{"models": []}, {"nothing": 1}, {"aliases": ["a"]}])
def test_a_mistake_changes_nothing(
    policies: Policies, key_id: str, engine: Engine, given: dict[str, object]
) -> None:
    policies.change("acme", given={"store": "deny"})
    before = documents(engine), changes(engine)
    with pytest.raises(ValueError, match=r"models|nothing|aliases"):
        policies.change("acme", given=given)
    assert (documents(engine), changes(engine)) == before


@pytest.fixture
def rewrite(policies: Policies, key_id: str, engine: Engine) -> Callable[[str], None]:
    """Write a document of acme's as another version may have written it."""

    def write(document: str) -> None:
        policies.change("acme", given={"store": "deny"})
        with write_transaction(engine) as connection:
            connection.execute(update(schema.policy).values(document=document))

    return write


def test_what_another_version_wrote_is_unset_by_its_name(
    policies: Policies, rewrite: Callable[[str], None]
) -> None:
    rewrite('{"from_the_future": 1, "store": "deny", "over": "sometimes"}')
    with pytest.raises(ValueError, match="no field 'from_the_future'"):
        policies.change("acme", given={"over": "deny"})
    with pytest.raises(ValueError, match=r"policy of acme cannot be read: .*'from_the_future'"):
        policies.levels("acme/search")
    changed = policies.change("acme", given={"over": "deny"}, unset=["from_the_future"])
    assert changed == own(policies, "acme") == Policy(store="deny", over="deny")


@pytest.mark.parametrize("document", ["", "[]", "{", '{"store": "deny", "tools": 1}'])
def test_a_policy_is_begun_anew_whatever_it_was(
    policies: Policies, rewrite: Callable[[str], None], engine: Engine, document: str
) -> None:
    rewrite(document)
    with pytest.raises(ValueError, match=r"it is no JSON object|tools: expected"):
        policies.change("acme", given={"models": ["a"]})
    assert documents(engine) == {"acme": document}
    assert policies.change("acme", given={"models": ["a"]}, unset=[ALL]) == Policy(models=("a",))
    assert own(policies, "acme") == Policy(models=("a",))


def test_only_a_field_can_be_unset(policies: Policies, key_id: str) -> None:
    with pytest.raises(ValueError, match="no field 'model'; did you mean 'models'"):
        policies.change("acme", given={}, unset=["model"])


def test_a_subject_must_be_there(policies: Policies, key_id: str) -> None:
    for ask in (policies.levels, lambda name: policies.change(name, given={})):
        with pytest.raises(SubjectUnknown, match="there is no tenant and no key 'acme/none'"):
            ask("acme/none")
