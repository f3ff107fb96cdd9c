"""Reading a request body: the fields we know, and the ones that cannot be read."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.content import Content
from gateway.core.errors import InvalidRequest
from gateway.core.policy import OUTPUT_TOKENS_MIN
from gateway.core.request import NAME_CHARACTERS_MAX, ResponseRequest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "id", "content", "output", "summary", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
FIELDS = (
    "model", "stream", "background", "service_tier", "max_output_tokens", "max_tool_calls",
    "tools", "input", "previous_response_id", "conversation", "prompt", "context_management",
)  # fmt: skip


def parsed(**fields: Any) -> ResponseRequest:
    return ResponseRequest.parse(json.dumps({"model": "gpt-test", **fields}).encode())


def refused(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        ResponseRequest.parse(body)
    return raised.value


def test_the_least_limit_is_the_policys() -> None:
    assert ResponseRequest.output_tokens_min == OUTPUT_TOKENS_MIN


def test_every_field_is_read() -> None:
    fields: dict[str, Any] = {
        "model": "gpt-test",
        "stream": True,
        "background": True,
        "store": False,
        "service_tier": "flex",
        "max_output_tokens": 100,
        "max_tool_calls": 0,
        "input": "hello",
        "tools": [{"type": "web_search"}],
    }
    body = json.dumps(fields).encode()
    assert ResponseRequest.parse(body) == ResponseRequest(
        model="gpt-test",
        is_stream=True,
        is_background=True,
        is_stored=False,
        service_tier="flex",
        max_output_tokens=100,
        max_tool_calls=0,
        previous_response_id=None,
        content=Content(items=1),
        hosted_tools=("web_search",),
        own_tools=0,
        may_keep_12h=False,
        unfamiliar=frozenset(),
        body_bytes=len(body),
        fields=fields,
    )


def test_absent_and_null_are_the_same() -> None:
    names = [name for name in FIELDS if name != "model"]
    request = parsed(**dict.fromkeys(names))
    assert (request.is_stream, request.is_background) == (False, False)
    assert (request.service_tier, request.max_output_tokens, request.max_tool_calls) == (None,) * 3
    assert (request.previous_response_id, request.content) == (None, Content(items=1))
    assert not request.has_hosted_tools


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model":"m"} x',
        b'{"model":"\xff"}',
        b'{"model":"\\ud800"}',
        b'{"model":"m","max_output_tokens":' + b"9" * 5000 + b"}",
        b'{"model":"m","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[]",
        b'"text"',
        b"null",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert refused(body).code == "invalid_json"


@pytest.mark.parametrize("body", [b"{}", b'{"model":null}', b'{"model":""}'])
def test_a_model_is_required(body: bytes) -> None:
    error = refused(body)
    assert (error.code, error.param) == ("missing_required_parameter", "model")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", 5),
        ("model", ["m"]),
        ("service_tier", {}),
        ("stream", "true"),
        ("stream", 1),
        ("background", 0),
        ("max_output_tokens", -1),
        ("max_output_tokens", 1.0),
        ("max_output_tokens", "1"),
        ("max_output_tokens", True),
        ("max_tool_calls", []),
    ],
)
def test_a_field_of_the_wrong_type_is_named(name: str, value: object) -> None:
    error = refused(json.dumps({"model": "m", name: value}).encode())
    assert (error.code, error.param) == ("invalid_type", name)
    assert name in error.message


@pytest.mark.parametrize("name", ["model", "service_tier"])
@pytest.mark.parametrize("value", ["a\0b", "a\nb", "x" * (NAME_CHARACTERS_MAX + 1)])
def test_what_the_ledger_could_not_keep_is_refused(name: str, value: str) -> None:
    error = refused(json.dumps({"model": "m", name: value}).encode())
    assert (error.code, error.param) == ("invalid_value", name)
    assert len(error.message) < 200


def test_a_repeated_field_is_refused() -> None:
    error = refused(b'{"model":"a","model":"b"}')
    assert (error.code, error.param) == ("invalid_json", "model")


def test_store_is_yes_no_or_not_said() -> None:
    found = [parsed(**fields).is_stored for fields in ({}, {"store": None}, {"store": True})]
    assert found == [None, None, True]
    assert refused(b'{"model":"m","store":"no"}').param == "store"


def test_a_rewritten_request_keeps_all_other_values() -> None:
    before = parsed(input="é\u2028", temperature=0.1, metadata={"a": 2**62}, max_output_tokens=5)
    after, body = before.rewritten({"max_output_tokens": 100, "store": False})
    changed = {**before.fields, "max_output_tokens": 100, "store": False}
    assert json.loads(body) == changed
    assert (after, after.fields) == (ResponseRequest.parse(body), changed)
    assert before.max_output_tokens == 5


@pytest.mark.parametrize("name", ["Model", "mod\u200bel", "max-output-tokens", "\uff4dodel"])
def test_a_name_that_looks_like_one_of_ours_is_refused(name: str) -> None:
    error = refused(json.dumps({"model": "m", name: "x"}).encode())
    assert error.code == "unknown_field"
    assert error.param in ("model", "max_output_tokens")


def test_a_prompt_template_may_bring_tools() -> None:
    assert parsed(prompt={"id": "pmpt_1"}).has_hosted_tools


def test_what_comes_before_is_known_by_its_id() -> None:
    assert parsed().previous_response_id is None
    assert parsed(previous_response_id="resp_1").previous_response_id == "resp_1"
    # What is no id cannot be found either.
    assert parsed(previous_response_id={"id": 1}).previous_response_id is not None


@pytest.mark.parametrize(
    ("body", "may_keep_12h"),
    [
        (b'{"model":"m"}', False),
        (b'{"model":"m","prompt_cache_options":{"ttl":"30m"}}', False),
        (b'{"model":"m","input":"say \\"12h\\" to me, \\u003cb\\u003e"}', False),
        (b'{"model":"m","prompt_cache_options":{"ttl":"12h"}}', True),
        (b'{"model":"m","prompt_cache_options":{"ttl":"\\u00312h"}}', True),
        (b'{"model":"m","prompt_cache_options":{"ttl":"1\\u0032h"}}', True),
        (b'{"model":"m","prompt_cache_options":{"ttl":"12\\u0068"}}', True),
    ],
)
def test_a_dearer_write_to_the_cache_is_asked_for(body: bytes, may_keep_12h: bool) -> None:
    assert ResponseRequest.parse(body).may_keep_12h is may_keep_12h


@pytest.mark.parametrize(
    ("fields", "keeps_history"),
    [
        ({}, True),
        ({"truncation": "disabled", "reasoning": {"effort": "high"}}, True),
        ({"truncation": None, "reasoning": {"context": None}}, True),
        ({"truncation": "auto"}, False),
        ({"reasoning": {"context": "current_turn"}}, False),
    ],
)
def test_a_history_may_be_cut(fields: dict[str, Any], keeps_history: bool) -> None:
    assert parsed(**fields).keeps_history is keeps_history


def test_names_that_the_api_did_not_have_are_told() -> None:
    before = parsed(image={}, user="u", n=3)
    assert before.unfamiliar == {"n"}
    assert before.rewritten({"store": False})[0].unfamiliar == {"n"}


@pytest.mark.parametrize(
    ("tools", "is_hosted"),
    [
        ([], False),
        ([{"type": "function"}, {"type": "custom"}], False),
        ([{"type": "function"}, {"type": "mcp"}], True),
        ([{"type": {}}], True),
        ([{}], True),
        (["web_search"], True),
        ({"type": "web_search"}, True),
    ],
)
def test_tools_that_the_upstream_runs(tools: object, is_hosted: bool) -> None:
    assert parsed(tools=tools).has_hosted_tools is is_hosted


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({"model": st.just("m")}, optional=dict.fromkeys(FIELDS[1:], JSON)))
def test_no_json_is_more_than_refused(fields: dict[str, object]) -> None:
    with contextlib.suppress(InvalidRequest):
        assert parsed(**fields).model == "m"


@given(st.binary(max_size=64))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    assert refused(body).status == 400


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ({"background": True, "background_options": {"completion_window": "8h"}}, "8h"),
        ({"background": True, "background_options": {"completion_window": "soonest"}}, None),
        ({"background": True, "background_options": {"completion_window": 8}}, "8"),
        ({"background": True, "background_options": "8h"}, None),
        ({"background": True}, None),
        ({"background_options": {"completion_window": "8h"}}, None),
    ],
)
def test_a_window_is_asked_for_in_the_background(
    fields: dict[str, Any], window: str | None
) -> None:
    body = json.dumps({"model": "m", "input": "x", **fields}).encode()
    assert ResponseRequest.parse(body).window == window


def test_what_a_client_wrote_is_in_no_description_of_its_request() -> None:
    request = ResponseRequest.parse(b'{"model": "gpt-test", "input": "a secret"}')
    assert repr(request) == "ResponseRequest(model='gpt-test', body_bytes=42)"
