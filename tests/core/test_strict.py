"""JSON that all parsers read the same way: what is taken, and the place of what is not."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.core.strict import DEPTH_MAX, refuse_look_alikes, refuse_query, strict_object

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)


def refused(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        strict_object(body)
    return raised.value


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_whatever_way_an_object_is_written_it_is_read(
    value: dict[str, object], indent: int | None, is_ascii: bool
) -> None:
    assert strict_object(json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()) == value
    assert strict_object(msgspec.json.encode(value)) == value


@given(OBJECTS, NAMES, JSON, JSON, st.sampled_from([None, 1]), st.booleans())
def test_a_repeated_key_is_refused_whatever_its_values(
    rest: dict[str, object],
    name: str,
    one: object,
    other: object,
    indent: int | None,
    is_deep: bool,
) -> None:
    pairs = [f"{json.dumps(name)}:{json.dumps(value, indent=indent)}" for value in (one, other)]
    rest.pop(name, None)
    pairs[1:1] = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in rest.items()]
    text = "{" + ",".join(pairs) + "}"
    body = f'{{"input":[0,{{"a":{text}}}]}}' if is_deep else text
    assert "is given twice" in refused(body.encode()).message


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"model":"a","model":"a"}', "model"),
        (b'{"model":"a","mod\\u0065l":"b"}', "model"),
        (b'{"model": "a",  "model": "b"}', "model"),
        (b'{"a":1e5,"a":100000.0}', "a"),
        (b'{"tools":[{"type":"function","type":"web_search"}]}', "tools[0].type"),
        (b'{"input":[1,[{"x":{"y":1,"y":2}}]]}', "input[1][0].x.y"),
        (b'{"a":{"b":1},"a":{"b":1}}', "a"),
        (b'{"\\u0000":1,"\\u0000":2}', None),
    ],
)
def test_a_repeated_key_is_named_with_its_place(body: bytes, place: str | None) -> None:
    error = refused(body)
    assert (error.code, error.param) == ("invalid_json", place)
    assert "is given twice" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b"null",
        b'"text"',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1}x',
        b'{"a":1}{"a":1}',
        b'{"a":1}\0',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":-1e999}',
        b'{"a":01}',
        b'{"a":0x10}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1.}',
        b'{"a":1_000}',
        b'{"a":True}',
        b'{"a":9223372036854775808}',
        b'{"a":-9223372036854775809}',
        b'{"a":[' + b"9" * 5000 + b"]}",
        b'{"a":"\t"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xc0\xaf"}',
        b'{"\xff":1}',
        b'\x0b{"a":1}',
        b'\xc2\xa0{"a":1}',
        b'/**/{"a":1}',
    ],
)
def test_what_is_not_strictly_json_is_refused(body: bytes) -> None:
    assert refused(body).code == "invalid_json"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_told_apart(encoding: str) -> None:
    assert "must be UTF-8 without a byte order mark" in refused('{"a":1}'.encode(encoding)).message


def test_text_that_only_looks_broken_is_taken() -> None:
    value = {"a": '"a":1,"a":2 NaN [[[ {{{ ' + "9" * 40, "b": "\ufeff\u0000 é", "c": 2**63 - 1}
    assert strict_object(json.dumps(value).encode()) == value
    assert strict_object(json.dumps(value, ensure_ascii=False).encode()) == value
    assert strict_object(b'{"a":1.0E+2,"b":-0,"c":1e-999}') == {"a": 100.0, "b": 0, "c": 0.0}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_has_a_limit(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        inner = levels - 1  # the body's own object is the first
        return ('{"input":' + opening * inner + "1" + closing * inner + "}").encode()

    strict_object(nested(DEPTH_MAX))
    assert f"deeper than {DEPTH_MAX} levels" in refused(nested(DEPTH_MAX + 1)).message
    assert f"deeper than {DEPTH_MAX} levels" in refused(nested(40_000)).message


def test_many_shallow_levels_are_not_deep() -> None:
    assert len(strict_object(json.dumps({"a": [[{}]] * 1000}).encode())) == 1


LOOK_ALIKES = [
    "Model", "MODEL", "mod el", "model ", "_model", "mo-del", "model\u200b", "\uff4dodel",
    "\u24c2odel", "mode\u2113", "model\u0000",
]  # fmt: skip


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_a_laxer_reader_could_take_for_ours_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'model'") as raised:
        refuse_look_alikes(["input", name], frozenset({"model"}))
    assert (raised.value.code, raised.value.param) == ("unknown_field", "model")


@pytest.mark.parametrize("name", ["bac\u212aground", "BackGround", "backgro\u00adund"])
def test_the_kelvin_sign_is_a_k(name: str) -> None:
    with pytest.raises(InvalidRequest):
        refuse_look_alikes([name], frozenset({"background"}))


@pytest.mark.parametrize("name", ["maxOutputTokens", "maxoutputtokens", "max_output_token\u017f"])
def test_nor_does_case_or_an_underscore_tell_apart(name: str) -> None:
    with pytest.raises(InvalidRequest):
        refuse_look_alikes([name], frozenset({"max_output_tokens"}))


def test_other_names_pass() -> None:
    refuse_look_alikes(["model", "models", "", "\u0430", "x" * 999], frozenset({"model"}))


def test_the_place_of_a_look_alike_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"tools\[0\]\.Type") as raised:
        refuse_look_alikes(["Type"], frozenset({"type"}), within="tools[0].")
    assert raised.value.param == "tools[0].type"


@pytest.mark.parametrize(
    "query",
    [
        b"model=gpt-5",
        b"a=1&MODEL=x",
        b"%6dodel",
        b"mod%65l=",
        b"x&model",
        b"a;model=x",
        b"model[]=x",
    ],
)
def test_a_query_does_not_speak_for_the_body(query: bytes) -> None:
    with pytest.raises(InvalidRequest, match="belongs in the request body"):
        refuse_query(query, frozenset({"model"}))


@pytest.mark.parametrize("query", [b"", b"beta=true", b"a=model", b"\xff=1", b"&&"])
def test_another_query_passes(query: bytes) -> None:
    refuse_query(query, frozenset({"model"}))


@given(st.binary(max_size=64))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        strict_object(body)


@pytest.mark.parametrize(
    "inner",
    [b"[]," * 50_000 + b"[]", b"{}," * 50_000 + b"1", b"1," * 1_000_000 + b"1", b'"",' * 1_000_001],
)
def test_a_body_that_would_take_all_of_the_time_is_refused(inner: bytes) -> None:
    with pytest.raises(InvalidRequest, match="more than 50000 objects and lists"):
        strict_object(b'{"a":[' + inner + b"]}")


def test_what_stands_in_strings_is_text_and_not_counted() -> None:
    text = '\\"[{,' * 1_000_000 + "\\\\"
    assert strict_object(b'{"a":"' + text.encode() + b'","b":[1,2]}')["b"] == [1, 2]
