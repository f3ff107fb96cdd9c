"""Progress: items and parts that are open, whatever is said of them; bounded, and never raising."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.life import Life
from gateway.core.observer import StreamObserver
from gateway.core.price_book import PriceBook
from gateway.core.progress import DECODED_BYTES_MAX, EVENTS, ITEMS_MAX, OpenItem, Progress, deltas
from tests import builders
from tests.fakes.goldens import TRANSCRIPTS

ADDED, DONE = "response.output_item.added", "response.output_item.done"
PART, PART_DONE = "response.content_part.added", "response.content_part.done"
HEAD = [(b"content-type", b"text/event-stream")]


def event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "sequence_number": 3, **fields}).encode()


def take(progress: Progress, kind: str, **fields: Any) -> None:
    progress.take(kind, event(kind, **fields))


def sse(*events: bytes) -> bytes:
    return b"".join(b"data: " + one + b"\n\n" for one in events)


def test_an_item_and_its_part_open_and_end() -> None:
    progress = Progress()
    take(progress, ADDED, output_index=0, item={"type": "message", "content": []})
    assert progress.newest == OpenItem(type="message")
    take(progress, PART, output_index=0, content_index=0, part={"type": "output_text"})
    assert progress.newest == OpenItem(type="message", part="output_text")
    take(progress, PART_DONE, output_index=0, content_index=0, part={"type": "output_text"})
    assert progress.newest == OpenItem(type="message")
    take(progress, DONE, output_index=0, item={"type": "message"})
    assert [*progress.open, progress.items_ended] == [1]


def test_of_several_that_are_open_the_newest_is_told_and_each_ends_alone() -> None:
    progress = Progress()
    for index, kind in enumerate(("reasoning", "message", "function_call")):
        take(progress, ADDED, output_index=index, item={"type": kind})
    take(progress, DONE, output_index=1, item={})
    assert [item.type for item in progress.open.values()] == ["reasoning", "function_call"]
    take(progress, DONE, output_index=2, item={})
    assert progress.newest == OpenItem(type="reasoning")


def test_the_end_of_an_item_is_read_before_all_that_it_repeats() -> None:
    progress = Progress()
    for index in range(2):
        take(progress, ADDED, output_index=index, item={"type": "message"})
    text = 'x"output_index":1,' * DECODED_BYTES_MAX
    take(progress, DONE, output_index=0, item={"output_index": 1, "text": text})
    assert list(progress.open) == [1]
    late = json.dumps({"type": DONE, "item": {"output_index": 1, "a": text}, "output_index": 1})
    progress.take(DONE, late.encode())  # not before the item: the only one that is open is meant
    assert (progress.open, progress.items_ended) == ({}, 2)


def test_what_is_large_is_only_counted() -> None:
    progress = Progress()
    take(progress, ADDED, output_index=0, item={"type": "message", "x": "y" * DECODED_BYTES_MAX})
    progress.take(ADDED, None)
    progress.take(DONE, None)
    assert (progress.open, progress.items_ended) == ({}, 1)


def test_it_keeps_no_more_than_it_may() -> None:
    progress = Progress()
    for index in range(ITEMS_MAX + 5):
        take(progress, ADDED, output_index=index, item={"type": "t" * 200})
    assert len(progress.open) == ITEMS_MAX
    assert len(progress.open[0].type) == 64


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(EVENTS)),
            st.one_of(
                st.none(),
                st.binary(),
                st.dictionaries(
                    st.sampled_from(["output_index", "item", "part", "type", "content_index"]),
                    st.one_of(
                        st.none(),
                        st.integers(),
                        st.floats(),
                        st.text(max_size=5),
                        st.dictionaries(st.just("type"), st.one_of(st.none(), st.text())),
                    ),
                ).map(lambda value: json.dumps(value).encode()),
            ),
        )
    )
)
def test_it_never_raises(events: list[tuple[str, bytes | None]]) -> None:
    progress = Progress()
    for kind, data in events:
        progress.take(kind, data)
    assert progress.items_ended == sum(kind == DONE for kind, _ in events)


@pytest.mark.parametrize("name", ["completed_text", "completed_reasoning", "completed_web_search"])
def test_after_a_recorded_stream_nothing_is_open_and_nothing_else_changed(name: str) -> None:
    stream = (TRANSCRIPTS / f"{name}.sse").read_bytes()
    watched, plain = Progress(), StreamObserver()
    observer = StreamObserver(progress=watched)
    for at in range(0, len(stream), 100):
        assert observer.feed(stream[at : at + 100]) == plain.feed(stream[at : at + 100])
    assert (watched.open, watched.items_ended > 0) == ({}, True)
    assert observer.end(is_clean=True) == plain.end(is_clean=True)


def test_a_life_says_where_it_is() -> None:
    life = Life(
        hold=builders.hold(),
        book=PriceBook(version="", cards={}),
        started=10.0,
        progress=Progress(),
    )
    phases = [life.so_far(10.0).phase]
    life.answered(status=200, headers=HEAD, now=11.0)
    for piece in (
        sse(event("response.created", response={"id": "resp_1"})),
        sse(event(ADDED, output_index=0, item={"type": "reasoning"})),
        sse(event("response.reasoning_summary_text.delta", delta="hm")),
        sse(event(DONE, output_index=0, item={})),
        sse(event(ADDED, output_index=1, item={"type": "message"})),
        sse(*[event("response.output_text.delta", delta="a")] * 4),
    ):
        phases.append(life.so_far(12.0).phase)
        life.chunk(piece, 12.0)
    so_far = life.so_far(13.0)
    assert phases == [
        "waiting",
        "started",
        "started",
        "reasoning",
        "reasoning",
        "output",
        "message",
    ]
    assert (so_far.age_seconds, so_far.first_byte_seconds, so_far.items_ended) == (3.0, 1.0, 1)
    assert (so_far.output_tokens, so_far.cost_pusd) == (5, 5 * 8_000_000)
    life.client_left()
    life.ended(reason="gateway_stopped")
    assert (life.so_far(14.0).phase, life.so_far(14.0).client_gone) == ("settling", True)


def test_a_life_that_nobody_watches_says_less() -> None:
    life = Life(hold=builders.hold(price=None), book=PriceBook(version="", cards={}), started=0.0)
    life.answered(status=200, headers=HEAD, now=1.0)
    life.chunk(sse(event(ADDED, output_index=0, item={"type": "reasoning"})), 1.0)
    assert (life.so_far(1.0).phase, life.so_far(1.0).cost_pusd) == ("output", None)


def test_deltas_of_every_kind_are_output() -> None:
    counts = {"response.output_text.delta": 3, "response.output_text.done": 1, "x.delta": 2}
    assert deltas(counts) == 5
