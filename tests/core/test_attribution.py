"""Tags for reports: only names that the operator chose, bounded, and never a reason to refuse."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.attribution import (
    NAMES_MAX,
    OURS,
    VALUE_CHARACTERS_MAX,
    attribution,
    tag_names,
)
from gateway.core.strict import Json

ALLOWED = frozenset({"team", "feature"})
CODEX = [
    (b"originator", b"codex_exec"),
    (b"user-agent", b"codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm"),
    (b"session-id", b"01a2-thread"),
    (b"thread-id", b"01a2-other"),
    (b"x-openai-subagent", b"review"),
]
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.dictionaries(st.sampled_from(["team", "id", "x"]), JSON)
        for name in ("metadata", "user", "safety_identifier", "conversation", "prompt_cache_key")
    },
)
NAMES = st.sampled_from([b"x-gateway-tags", b"user-agent", b"session_id", b"originator", b"other"])


def tags(*headers: tuple[bytes, bytes], **fields: Any) -> dict[str, str]:
    return attribution(list(headers), fields, allowed=ALLOWED)


def said(tag: str, *headers: tuple[bytes, bytes], **fields: Any) -> str | None:
    return tags(*headers, **fields).get(tag)


def test_a_header_names_tags_and_stands_over_metadata() -> None:
    header = b"x-gateway-tags", b" team=search , feature = chat=2 ,, other=1"
    assert tags(header) == {"team": "search", "feature": "chat=2"}
    assert tags(metadata={"team": "ads", "other": "1"}) == {"team": "ads"}
    assert tags(header, metadata={"team": "ads"})["team"] == "search"
    assert tags(header, (b"x-gateway-tags", b"team=nearest")) == {"team": "nearest"}


def test_no_tag_is_kept_that_nobody_named() -> None:
    header = b"x-gateway-tags", b"team=search,gw_session=forged"
    assert attribution([header], {"metadata": {"gw_agent": "x"}}, allowed=frozenset()) == {}


def test_codex_says_who_it_is_and_in_which_session() -> None:
    assert tags(*CODEX, prompt_cache_key="01a2-thread") == {
        "gw_agent": "codex_exec",
        "gw_subagent": "review",
        "gw_session": "01a2-thread",
    }


@pytest.mark.parametrize(
    ("user_agent", "agent"),
    [
        (b"OpenAI/Python 3.54.0", "OpenAI/Python"),
        (b"OpenAI/JS 7.57.0", "OpenAI/JS"),
        (b"Agents/Python 0.24.0", "Agents/Python"),
        (b"ai-sdk/openai/4.0.118 ai-sdk/provider-utils/5 runtime/node.js/20", "ai-sdk/openai"),
        (b"pydantic-ai/2.68.0", "pydantic-ai"),
        (b"python-httpx/0.28.1", "python-httpx"),
        (b"(unknown)", None),
        (b"", None),
    ],
)
def test_an_agent_is_named_without_its_version(user_agent: bytes, agent: str | None) -> None:
    assert said("gw_agent", (b"user-agent", user_agent)) == agent


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({"conversation": "conv_1", "prompt_cache_key": "key"}, "conv_1"),
        ({"conversation": {"id": "conv_2"}}, "conv_2"),
        ({"prompt_cache_key": "agents-sdk:session:1"}, "agents-sdk:session:1"),
        ({"conversation": {}, "prompt_cache_key": "key"}, "key"),
        ({}, None),
    ],
)
def test_a_session_is_what_the_body_knows_of_it(fields: Any, session: str | None) -> None:
    assert said("gw_session", **fields) == session


def test_an_end_user_is_known_by_the_id_that_the_client_gave() -> None:
    fields: dict[str, Json] = {"user": "u-1"}
    allowed = frozenset({"user"})
    assert attribution([], fields, allowed=allowed) == {"user": "u-1"}
    assert attribution([], {**fields, "safety_identifier": "x"}, allowed=allowed) == {"user": "x"}
    assert attribution([], fields, allowed=frozenset()) == {}, "it may be somebody's address"


@pytest.mark.parametrize("value", ["", "a\nb", "\x00", "\ud800", 7, ["x"], {"x": 1}, None, True])
def test_what_is_no_text_that_prints_is_left_out(value: Any) -> None:
    fields = {"metadata": {"team": value}, "user": value, "conversation": value}
    assert attribution([], fields, allowed=ALLOWED) == {}


def test_a_long_value_is_cut() -> None:
    assert tags(metadata={"team": "x" * 512}) == {"team": "x" * VALUE_CHARACTERS_MAX}


@given(st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=5), FIELDS)
def test_whatever_is_sent_tags_are_few_short_and_printable(
    headers: list[tuple[bytes, bytes]], fields: dict[str, Json]
) -> None:
    found = attribution(headers, fields, allowed=ALLOWED)
    assert all(name in ALLOWED or name.startswith(OURS) for name in found)
    for value in found.values():
        assert value.isprintable()
        assert 0 < len(value) <= VALUE_CHARACTERS_MAX


def test_names_of_tags_are_written_with_commas_between() -> None:
    assert tag_names(" team, feature,") == ALLOWED
    assert tag_names("") == frozenset()


@pytest.mark.parametrize(
    "text", ["Team", "gw_team", "a b", "-x", "x" * 33, ",".join(map(str, range(NAMES_MAX + 1)))]
)
def test_names_that_no_tag_can_have_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        tag_names(text)
