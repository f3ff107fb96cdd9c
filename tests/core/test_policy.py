"""What a policy may say, how it is kept, and how its mistakes are told."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.core.policy import (
    ALLOW_LISTS,
    CAPS,
    FIELDS,
    MANNERS,
    PERMISSIONS,
    Policy,
    field_name,
    policy_from,
    policy_from_json,
    policy_to_json,
    said_by,
)

FULL = Policy(
    models=("gpt-5", "gpt-5-mini"),
    service_tiers=("default", "flex"),
    tools=("function",),
    objects=("pmpt_1",),
    max_output_tokens_cap=4096,
    max_tool_calls_cap=8,
    attempts_max=2,
    concurrent_max=5,
    requests_per_minute_max=60,
    tokens_per_minute_max=90_000,
    fit="clamp",
    input_count="upstream",
    background="deny",
    store="deny",
    websocket="allow",
    unbounded="deny",
    unpriced="allow",
    aliases={"fast": "gpt-5-mini"},
    max_output_tokens_default=1024,
    max_tool_calls_default=4,
    over="deny",
    on_disconnect="cancel",
)


def test_every_field_is_kept() -> None:
    assert policy_from_json(policy_to_json(FULL)) == FULL
    assert set(said_by(FULL)) == set(FIELDS)


def test_every_field_has_a_rule_of_inheritance() -> None:
    assert sorted((*ALLOW_LISTS, *CAPS, *PERMISSIONS, *MANNERS, "aliases")) == sorted(FIELDS)


def test_what_is_not_said_is_not_kept() -> None:
    assert policy_to_json(Policy()) == "{}"
    assert policy_from_json("{}") == Policy()
    assert said_by(replace(Policy(), over="deny")) == {"over": "deny"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("max_output_token_cap", "max_output_tokens_cap"), ("Models", "models"), ("tool", "tools")],
)
def test_an_unknown_field_has_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        policy_from({name: 1})


def test_a_field_far_from_all_others_lists_them() -> None:
    with pytest.raises(ValueError, match="no field 'zzz'; there are models, "):
        field_name("zzz")


def test_a_field_may_be_named_as_an_option() -> None:
    assert field_name("max-output-tokens-cap") == "max_output_tokens_cap"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", []),
        ("models", "gpt-5"),
        ("models", [""]),
        ("models", ["a b"]),
        ("models", ["a\n"]),
        ("models", ["x" * 257]),
        ("models", [5]),
        ("aliases", {"a": 5}),
        ("aliases", {"": "m"}),
        ("max_output_tokens_default", 15),
        ("max_output_tokens_default", 16.5),
        ("max_output_tokens_default", True),
        ("max_output_tokens_cap", 0),
        ("max_output_tokens_cap", 2**53 + 1),
        ("max_tool_calls_cap", "4"),
        ("attempts_max", -1),
        ("over", "warn"),
        ("store", True),
        ("on_disconnect", "allow"),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}"):
        policy_from({field: value})


@pytest.mark.parametrize("text", ["", "[]", "null", '{"models":', '{"models": 1}', '{"new": 1}'])
def test_a_document_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        policy_from_json(text)
