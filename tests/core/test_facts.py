"""Two ways of reading one document agree with a plain reading of it, whatever stands beside."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.elements import elements
from gateway.core.facts import BODY, EVENT, facts_from, response_id_in, skim, type_in
from gateway.core.skim import KEPT_BYTES_MAX, Skimmer
from gateway.core.skimmed import Skimmed
from gateway.core.usage import Usage

LEAVES = (
    "id", "object", "status", "model", "service_tier", "usage", "tool_usage", "error",
    "incomplete_details",
)  # fmt: skip
INNER = ("type", "container_id", "memory_limit")
ELEMENTS: dict[str, dict[str, tuple[str, ...] | None]] = {
    "output": {
        "type": None, "status": None, "container_id": None,
        "action": ("type",), "environment": ("type", "container_id"),
    },
    "tools": {
        "type": None, "model": None, "output_format": None,
        "container": ("memory_limit",), "environment": ("type", "memory_limit"),
    },
}  # fmt: skip
KEYS = st.sampled_from(
    [*LEAVES, "response", "output", "tools", "type", "action", "code", "metadata", "",
     "us\\u0061ge", "outp\\u0075t", "resp\\\\onse", "\\ud800", "k" * 200]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.text('a\\"{}[]:,', max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        ['"\\ud800"', '"{\\"usage\\":{\\"input_tokens\\":9}}"', '"é\\\\"', '"\\u0022"']
    ),
)
SCALARS = st.one_of(TEXTS, st.integers().map(str), st.sampled_from(["null", "true", "-1.5e3", "0"]))


def rendered_object(pairs: list[tuple[str, str]], space: str) -> str:
    body = f",{space}".join(f'"{key}"{space}:{space}{value}' for key, value in pairs)
    return f"{{{space}{body}{space}}}"


SPACES = st.sampled_from(["", " ", "\n\t\r"])
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda values: f"[{', '.join(values)}]"),
        st.builds(rendered_object, st.lists(st.tuples(KEYS, inner), max_size=5), SPACES),
    ),
    max_leaves=8,
)
ITEMS = st.builds(
    rendered_object,
    st.lists(
        st.tuples(
            st.sampled_from(["result", "id", *ELEMENTS["output"], *ELEMENTS["tools"]]),
            st.one_of(
                TEXTS,
                ANY,
                st.builds(
                    rendered_object,
                    st.lists(st.tuples(st.sampled_from([*INNER, "x"]), SCALARS), max_size=3),
                    SPACES,
                ),
            ),
        ),
        max_size=4,
    ),
    SPACES,
)
OUTPUTS = st.lists(st.one_of(ITEMS, ANY), max_size=4).map(lambda items: f"[{','.join(items)}]")


def object_of(*known: tuple[str, Any]) -> Any:
    members = st.one_of(
        st.tuples(KEYS, ANY), *(st.tuples(st.just(name), value) for name, value in known)
    )
    return st.builds(rendered_object, st.lists(members, max_size=8), SPACES)


BODIES = object_of(("output", OUTPUTS), ("output", OUTPUTS), ("tools", OUTPUTS))
EVENTS = object_of(("response", BODIES), ("response", BODIES))
# Where a regular expression of Python 3.11.2 lost its place, between the last two quotes.
LOST_BEFORE_3_11_5 = rendered_object(
    [
        ("object", json.dumps("00\x07\x07\U00010000\U00010000")),
        ("us\\u0061ge", '""'),
        ("k" * 200, '""'),
        ("response", "{}"),
        ("us\\u0061ge", '[""]'),
    ],
    "\n\t\r",
)
CUTS = st.lists(st.integers(0, 400), max_size=10)


def walk(document: bytes, cuts: list[int], *, is_event: bool) -> Skimmed | None:
    skimmer = Skimmer(EVENT if is_event else BODY)
    marks = [0, *sorted(min(cut, len(document)) for cut in cuts), len(document)]
    for start, end in pairwise(marks):
        skimmer.feed(document[start:end])
    return skimmer.end()


def plain(found: Skimmed | None) -> Any:
    assert found is not None
    for array in [*found.later]:
        elements(found, array)
    arrays: dict[str, Counter[tuple[str, ...]]] = {}
    for path, counts in found.items.items():
        arrays[path] = Counter()
        for each, count in counts.items():
            arrays[path][tuple(map(_name, each))] += count
    return {path: json.loads(value) for path, value in found.values.items()}, arrays


def _name(raw: bytes) -> str:
    try:
        return _kind(json.loads(raw)) if raw else ""
    except ValueError:
        return "no name"  # too long for one


def _kind(value: object) -> str:
    return "no name" if isinstance(value, dict | list) else json.dumps(value)


def by_the_book(document: bytes, *, is_event: bool) -> Any:
    """What json makes of the document, at the paths that matter."""
    root = json.loads(document)
    values = {name: root[name] for name in ("type", "error", "code") if is_event and name in root}
    response = root.get("response") if is_event else root
    prefix = "response." if is_event else ""
    arrays: dict[str, Counter[tuple[str, ...]]] = {}
    if isinstance(response, dict):
        values |= {prefix + name: response[name] for name in LEAVES if name in response}
        for name, shape in ELEMENTS.items():
            array = response.get(name)
            if isinstance(array, list) and array:
                arrays[prefix + name] = Counter(tuple(element(each, shape)) for each in array)
    return values, arrays


def element(value: object, shape: dict[str, tuple[str, ...] | None]) -> Iterator[str]:
    """Its values in the order of the shape; an object's own place is empty, as it is no value."""
    fields = value if isinstance(value, dict) else {}
    for name, inner in shape.items():
        found = fields.get(name)
        is_whole = inner is not None and isinstance(found, dict | list)
        yield "" if name not in fields or is_whole else _kind(found)
        below = found if isinstance(found, dict) else {}
        for each in inner or ():
            yield _kind(below[each]) if each in below else ""


@settings(deadline=None)
@given(EVENTS, CUTS)
@example('{"response":{"usage":{"a":1},"output":[{"type":"a"}]},"response":null}', [])
@example('{"response":{"output":[{"type":"a"}],"output":[{"type":"\\ud800","x":"\\ud800"}]}}', [41])
@example(LOST_BEFORE_3_11_5, [347])
@example('{"type":"a","x":["\\\\\\"", {"usage":[]}],"response":{"id":"\\\\"}}', [20, 21, 22, 23])
def test_an_event_reads_the_same_whole_in_pieces_and_by_the_book(
    text: str, cuts: list[int]
) -> None:
    document = text.encode()
    wanted = by_the_book(document, is_event=True)
    assert plain(skim(document, is_event=True)) == wanted
    assert plain(walk(document, cuts, is_event=True)) == wanted


@settings(deadline=None)
@given(BODIES, CUTS)
def test_a_body_reads_the_same_whole_in_pieces_and_by_the_book(text: str, cuts: list[int]) -> None:
    document = text.encode()
    wanted = by_the_book(document, is_event=False)
    assert plain(skim(document, is_event=False)) == wanted
    assert plain(walk(document, cuts, is_event=False)) == wanted


@settings(deadline=None)
@given(st.one_of(EVENTS, BODIES, ANY))
def test_facts_are_made_of_any_shape(text: str) -> None:
    for is_event in (True, False):
        found = skim(text.encode(), is_event=is_event)
        if found is not None:
            facts_from(found, is_event=is_event)
    type_in(text.encode())
    response_id_in(text.encode())


def facts(response: Any, **event: Any) -> Any:
    found = skim(msgspec.json.encode({"response": response, **event}), is_event=True)
    assert found is not None
    return facts_from(found, is_event=True)


def test_a_wrong_shape_of_one_value_does_not_cost_the_others() -> None:
    seen = facts({"usage": "much", "model": "m", "id": "r", "service_tier": 5, "output": {}})
    assert (seen.usage, seen.is_usage_invalid) == (None, True)
    assert (seen.model, seen.response_id, seen.service_tier) == ("m", "r", None)
    seen = facts({"usage": {"input_tokens": 1, "output_tokens": 2}, "model": [], "error": "bad"})
    assert seen.usage == Usage(input_tokens=1, output_tokens=2)
    assert (seen.model, seen.reason) == (None, None)


def test_what_a_lone_surrogate_or_a_deep_schema_is_echoed_beside_is_still_read() -> None:
    usage = b'"usage":{"input_tokens":1,"output_tokens":2}'
    for echo in (b'"\\ud800"', b"[" * 100 + b"]" * 100):
        found = skim(b'{"metadata":' + echo + b"," + usage + b"}", is_event=False)
        assert found is not None
        assert facts_from(found, is_event=False).usage == Usage(input_tokens=1, output_tokens=2)
        data = b'{"x":' + echo + b',"type":"a","response":{"id":"r"}}'
        assert (type_in(data), response_id_in(data)) == ("a", "r")
    assert skim(b"[" * 5000 + b"]" * 5000, is_event=False) is None


def test_a_value_too_large_to_keep_is_unreadable_not_absent() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "x": "y" * KEPT_BYTES_MAX}
    assert facts({"usage": usage}).is_usage_invalid


@pytest.mark.parametrize(
    ("response", "event", "reason"),
    [
        ({"incomplete_details": {"reason": "max_output_tokens"}}, {}, "max_output_tokens"),
        ({"incomplete_details": {"reason": 5}}, {"code": "c"}, "c"),
        ({"error": {"code": "rate_limit_exceeded"}}, {}, "rate_limit_exceeded"),
        ({"error": {"code": None, "type": "t"}}, {}, "t"),
        ({}, {"error": {"code": "nested", "type": "t"}}, "nested"),
        ({"incomplete_details": None, "error": None}, {"error": {"type": "t"}}, "t"),
        (None, {"code": "flat"}, "flat"),
        ({}, {}, None),
    ],
)
def test_the_reason(response: Any, event: Any, reason: str | None) -> None:
    assert facts(response, **event).reason == reason


def test_searches_are_counted_where_tool_usage_is_absent() -> None:
    items = [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "web_search_call"},
        {"type": "message"},
        5,
    ]
    seen = facts({"output": items})
    assert seen.has_output
    assert seen.tools.web_searches == 2
    assert seen.tools.items == {"web_search_call": 3, "message": 1}
    told = facts({"output": items, "tool_usage": {"web_search": {"num_requests": 7}}})
    assert told.tools.web_searches == 7


@pytest.mark.parametrize("is_large", [False, True])
def test_items_and_the_containers_they_ran_in_are_named(is_large: bool) -> None:
    items = [
        {"type": "message", "id": "msg_1", "content": [{"id": "no_item", "container_id": "no"}]},
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
        {"type": "shell_call", "id": "sh_1", "environment": {"container_id": "cntr_2"}},
        {"type": "shell_call", "id": None, "environment": {"type": "local"}, "container_id": 5},
        {"id": {"id": "no_item"}},
    ]
    body = json.dumps({"id": "resp_1", "output": items}).encode()
    found = walk(body, [7, 99], is_event=False) if is_large else skim(body, is_event=False)
    assert found is not None
    seen = facts_from(found, is_event=False)
    assert seen.item_ids == ("msg_1", "ci_1", "sh_1")
    assert seen.container_ids == ("cntr_1", "cntr_2")


@pytest.mark.parametrize("data", [b"", b"{", b'{"response":{"id":"r"}', b"[DONE]", b"\xff", b"5"])
def test_what_is_no_document_has_no_type_and_no_id(data: bytes) -> None:
    assert (type_in(data), response_id_in(data)) == (None, None)
    assert type_in(b'{"type":5}') is None
    assert response_id_in(b'{"response":null}') is None


def test_a_value_that_cannot_be_read_is_absent_and_costs_no_other() -> None:
    document = b'{"model":"\\ud800","usage":{"input_tokens":1,"output_tokens":2}}'
    found = skim(document, is_event=False)
    assert found is not None
    seen = facts_from(found, is_event=False)
    assert (seen.model, seen.usage) == (None, Usage(input_tokens=1, output_tokens=2))
