"""`gateway policies`."""

import pytest

from tests.cli.commands import Gateway, command


@pytest.fixture
def key_id(gateway: Gateway) -> str:
    gateway("tenants", "create", "acme/search")
    return str(gateway("keys", "create", "--tenant", "acme/search", "--json").json["id"])


EVERY_OPTION = {
    "--models": "gpt-5,gpt-5-mini",
    "--alias": "fast=gpt-5-mini",
    "--max-output-tokens-default": "1024",
    "--max-output-tokens-cap": "4096",
    "--max-tool-calls-default": "4",
    "--max-tool-calls-cap": "8",
    "--over": "deny",
    "--service-tiers": "default,flex",
    "--tools": "function",
    "--objects": "pmpt_1,vs_1",
    "--background": "deny",
    "--store": "deny",
    "--websocket": "allow",
    "--unbounded": "deny",
    "--unpriced": "allow",
    "--on-disconnect": "cancel",
    "--attempts-max": "2",
}


def test_every_field_can_be_set(gateway: Gateway, key_id: str) -> None:
    options = [text for pair in EVERY_OPTION.items() for text in pair]
    said = gateway("policies", "set", "acme", *options)
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("policy of acme: models, ")
    assert gateway("policies", "show", "acme", "--json").json["policy"] == {
        "models": ["gpt-5", "gpt-5-mini"],
        "service_tiers": ["default", "flex"],
        "tools": ["function"],
        "objects": ["pmpt_1", "vs_1"],
        "max_output_tokens_cap": 4096,
        "max_tool_calls_cap": 8,
        "attempts_max": 2,
        "background": "deny",
        "store": "deny",
        "websocket": "allow",
        "unbounded": "deny",
        "unpriced": "allow",
        "aliases": {"fast": "gpt-5-mini"},
        "max_output_tokens_default": 1024,
        "max_tool_calls_default": 4,
        "over": "deny",
        "on_disconnect": "cancel",
    }


def test_what_is_in_force_and_who_said_so(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--models", "a,b", "--max-output-tokens-cap", "100")
    gateway("policies", "set", key_id, "--models", "b", "--max-output-tokens-default", "200")
    assert gateway("policies", "show", key_id, "--effective", "--json").json == {
        "subject": key_id,
        "policy": {"models": ["b"], "max_output_tokens_cap": 100, "max_output_tokens_default": 100},
        "origins": {
            "models": ["acme", key_id],
            "max_output_tokens_cap": ["acme"],
            "max_output_tokens_default": ["acme"],
        },
    }
    own = gateway("policies", "show", key_id, "--json").json["policy"]
    assert own == {"models": ["b"], "max_output_tokens_default": 200}


def test_a_table_for_people(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--alias", "x=a", "--alias", "y=b", "--tools", "mcp,custom")
    lines = gateway("policies", "show", "acme/search", "--effective").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["field", "tools", "aliases"]
    assert "mcp, custom" in lines[1]
    assert "x=a, y=b" in lines[2]
    assert lines[2].endswith("acme")
    assert gateway("policies", "show", "acme/search").out.splitlines() == ["field  value  origin"]


def test_a_field_is_inherited_again(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--store", "deny", "--over", "deny")
    said = gateway("policies", "set", "acme", "--unset", "store", "--unset", "max-tool-calls-cap")
    assert said.err == "policy of acme: store unset, max_tool_calls_cap unset\n"
    assert gateway("policies", "show", "acme", "--json").json["policy"] == {"over": "deny"}


def test_a_policy_is_begun_anew(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--store", "deny", "--over", "deny")
    said = gateway("policies", "set", "acme", "--unset", "all", "--over", "clamp")
    assert (said.code, said.err) == (0, "policy of acme: over, all unset\n")
    assert gateway("policies", "show", "acme", "--json").json["policy"] == {"over": "clamp"}


def test_aliases_are_added_or_written_anew(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--alias", "fast=a")
    gateway("policies", "set", "acme", "--alias", "slow=b")
    shown = gateway("policies", "show", "acme", "--json").json["policy"]
    assert shown == {"aliases": {"fast": "a", "slow": "b"}}
    gateway("policies", "set", "acme", "--unset", "aliases", "--alias", "new=c")
    assert gateway("policies", "show", "acme", "--json").json["policy"] == {"aliases": {"new": "c"}}


def test_a_policy_is_seen_by_the_real_command(gateway: Gateway, key_id: str) -> None:
    gateway("policies", "set", "acme", "--store", "deny")
    assert command("policies", "show", "acme", "--json").json["policy"] == {"store": "deny"}


MISTAKES: list[tuple[list[str], int, str]] = [
    (["set", "acme"], 2, "nothing to set: name a field, as --max-output-tokens-cap 4096"),
    (["set", "none", "--store", "deny"], 1, "there is no tenant and no key 'none'"),
    (["show", "none"], 1, "no key 'none'; `gateway tenants list`"),
    (["set", "acme", "--unset", "model"], 2, "no field 'model'; did you mean 'models'?"),
    (["set", "acme", "--models", ""], 2, "models: write A,B; `--unset models` stops restricting"),
    (["set", "acme", "--models", "a,,b"], 2, "models: write A,B"),
    (["set", "acme", "--models", "a b"], 2, "models[0]: expected str matching regex"),
    (["set", "acme", "--alias", "fast"], 2, "'fast' is no alias: write NAME=MODEL"),
    (["set", "acme", "--alias", "=x"], 2, "'=x' is no alias: write NAME=MODEL"),
    (["set", "acme", "--max-output-tokens-default", "15"], 2, "expected int >= 16"),
    (["set", "acme", "--max-output-tokens-cap", "0"], 2, "expected int >= 1"),
    (["set", "acme", "--over", "deny", "--unset", "over"], 2, "over is both set and unset"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES)
def test_a_mistake_is_one_clear_line(
    gateway: Gateway, key_id: str, arguments: list[str], code: int, words: str
) -> None:
    said = gateway("policies", *arguments)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert words in said.err
    assert gateway("policies", "show", "acme", "--json").json["policy"] == {}


def test_a_word_that_is_no_choice(gateway: Gateway, key_id: str) -> None:
    said = gateway("policies", "set", "acme", "--store", "maybe")
    assert said.code == 2
    assert "'maybe' is not one of 'allow', 'deny'" in said.err
