"""The walk keeps what is asked for, breaks on what is no JSON along the way, and stays small."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.paths import Node
from gateway.core.skim import DEPTH_MAX, KEPT_BYTES_MAX, UNREADABLE, Skimmer
from gateway.core.skimmed import ITEM_KINDS_MAX, Skimmed

ITEM = Node(
    "out[]", {"type": Node("out[].type"), "box": Node("out[].box", {"d": Node("out[].box.d")})}
)
TREE = Node(
    "", {"a": Node("a"), "b": Node("b", {"c": Node("b.c")}), "out": Node("out", element=ITEM)}
)


def walked(*pieces: bytes) -> Skimmed | None:
    skimmer = Skimmer(TREE)
    for piece in pieces:
        skimmer.feed(piece)
    return skimmer.end()


def values(*pieces: bytes) -> dict[str, bytes]:
    found = walked(*pieces)
    assert found is not None
    return found.values


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text('{}[]":,abc\\ 1', max_size=60).map(str.encode), st.data())
def test_any_bytes_at_any_cut_are_taken_the_same_way(data: bytes, drawn: st.DataObject) -> None:
    cuts = drawn.draw(st.lists(st.integers(0, len(data)), max_size=6))
    marks = [0, *sorted(cuts), len(data)]
    whole = walked(data)
    pieces = walked(*(data[start:end] for start, end in pairwise(marks)))
    assert (whole is None) == (pieces is None)
    if whole and pieces:
        assert (whole.values, whole.items) == (pieces.values, pieces.items)


def test_only_the_paths_asked_for_are_kept() -> None:
    document = b'{"c":1, "a" : [ {"a":2} ] ,"x":{"a":3,"b":{"c":4}},"b":{"a":5,"c":"}"}, "out":{}}'
    assert values(document) == {"a": b'[ {"a":2} ]', "b.c": b'"}"'}
    assert values(b'{"a":-12.5e1,"b":null}') == {"a": b"-12.5e1"}
    assert values(b'{"a":1,"b":{"c":2},"b":{}, "a":true}') == {"a": b"true"}
    assert values(b"[1, 2]") == values(b'{"out":[]}') == values(b' {"b":[]} ') == {}


@pytest.mark.parametrize(
    "document",
    [
        b"", b" ", b"}", b"{]", b"{,", b'{"a"', b'{"a",', b'{"a":}', b'{"a":1', b'{"a":1]',
        b'{"a":1,}', b'{"a":"x', b'{"a":[}', b'{"out":[,]}', b'{"out":[1,]}', b'{"out":[1}',
        b'{"out":[1:2]}', b"{} {}", b'{"a":1 2}', b'{"a":x}', b"{a:1}", b'{"a":"\\', b"5",
        b'{"out":[{"type":1}',
    ],
)  # fmt: skip
def test_what_is_cut_short_or_no_json_is_not_believed(document: bytes) -> None:
    assert walked(document) is None
    assert walked(*(document[at : at + 1] for at in range(len(document)))) is None


def test_depth_is_bounded() -> None:
    fits = b'{"x":' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"}"
    assert walked(fits) is not None
    assert walked(b'{"x":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}") is None
    assert walked(b'{"x":' + b"[" * 10**6) is None


def test_what_is_kept_is_bounded() -> None:
    filler = b"x" * KEPT_BYTES_MAX
    pieces = (b'{"a":"', filler, filler, b'","', filler, b'":1,"b":{"c":2}}')
    assert values(*pieces) == {"a": UNREADABLE, "b.c": b"2"}
    kinds = b",".join(b'{"type":%d}' % number for number in range(ITEM_KINDS_MAX + 50))
    found = walked(b'{"out":[' + kinds + b"]}")
    assert found is not None
    counts = found.items["out"]
    assert len(counts) == ITEM_KINDS_MAX + 1
    assert sum(counts.values()) == ITEM_KINDS_MAX + 50
    assert counts[(b'"other"', b"", b"")] == 50


def test_a_text_of_200_mib_costs_nothing() -> None:
    piece = b"QUJDRA==" * 8192
    skimmer = Skimmer(TREE)
    tracemalloc.start()
    skimmer.feed(b'{"out":[{"type":"image","result":"')
    for _ in range(3200):
        skimmer.feed(piece)
    skimmer.feed(b'"}],"a":1}')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    found = skimmer.end()
    assert found is not None
    assert (found.values, found.items) == ({"a": b"1"}, {"out": {(b'"image"', b"", b""): 1}})
    assert peak < 1 << 20


def test_an_element_is_its_values_in_the_order_of_the_tree() -> None:
    found = walked(
        b'{"out":[{"type":1,"box":{"d":2,"e":3}},{"box":"b"},{"box":[4]},{"box":5,"box":{}},7,{}]}'
    )
    assert found is not None
    assert found.items == {"out": {(b"1", b"", b"2"): 1, (b"", b'"b"', b""): 1, (b"", b"", b""): 4}}
    again = walked(b'{"out":[{"type":1}],"out":[{"type":2}]}')
    assert again is not None
    assert again.items == {"out": {(b"2", b"", b""): 1}}
    assert walked(b'{"b":5}') is not None
    assert values(b'{"b":5}') == {}
