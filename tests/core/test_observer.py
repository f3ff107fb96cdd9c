"""Every recording observed as its index says, at any cut; bodies, encodings and what is unknown."""

import random
import zlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.observer import (
    BodyObserver,
    EncodedObserver,
    Observation,
    Observer,
    OpaqueObserver,
    StreamObserver,
    observer_for,
)
from gateway.core.usage import NO_TOOLS, Usage
from tests.recordings import Row, index_rows

ZERO = {"input_tokens": 3, "output_tokens": 5}


def watch(observer: Observer, chunks: Iterable[bytes]) -> Observation:
    for chunk in chunks:
        observer.feed(chunk)
    return observer.end(is_clean=True)


def body(data: Any, **more: Any) -> Observation:
    return watch(BodyObserver(**more), [msgspec.json.encode(data)])


def cuts_of(data: bytes, seed: int, small_bytes_max: int) -> list[list[bytes]]:
    """The bytes whole, in random pieces twice, and one by one where they are few enough."""
    cuts = [[data]]
    chance = random.Random(seed)
    for pieces_max in (7, 60):
        marks = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(pieces_max))})
        cuts.append([data[a:b] for a, b in pairwise(marks)])
    if len(data) <= small_bytes_max:
        cuts.append([data[at : at + 1] for at in range(len(data))])
    return cuts


def usage_in(row: Row) -> Usage | None:
    """The index's own usage, read the plain way."""
    if row.usage is None:
        return None
    given = row.usage.get("input_tokens_details") or {}
    made = row.usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=row.usage["input_tokens"],
        output_tokens=row.usage["output_tokens"],
        cached_tokens=given.get("cached_tokens", 0),
        cache_write_tokens=given.get("cache_write_tokens", 0),
        reasoning_tokens=made.get("reasoning_tokens", 0),
    )


def searches_in(row: Row) -> int:
    return int((row.tool_usage or {}).get("web_search", {}).get("num_requests", 0))


BYTE_BY_BYTE = pytest.mark.parametrize(
    "small_bytes_max", [8_000, pytest.param(200_000, marks=pytest.mark.long)]
)


@BYTE_BY_BYTE
@pytest.mark.needs_recordings
def test_every_recorded_stream_at_every_kind_of_cut(small_bytes_max: int) -> None:
    rows = index_rows(api="responses", stream=True)
    assert len(rows) >= 200
    for seed, row in enumerate(rows):
        for chunks in cuts_of(row.read(), seed, small_bytes_max):
            for event_bytes_max in (1 << 20, 512):
                observer = StreamObserver(event_bytes_max=event_bytes_max)
                offsets = [at for chunk in chunks if (at := observer.feed(chunk)) is not None]
                seen = observer.end(is_clean=True)
                terminal = row.terminal.rpartition("+")[2] or None
                assert seen.terminal == terminal, row.file
                assert seen.usage == usage_in(row), row.file
                assert (seen.model or "", seen.service_tier or "") == (row.model, row.service_tier)
                assert seen.event_counts == row.event_counts, row.file
                assert seen.problem is None, (row.file, seen.problem)
                assert (seen.response_id or "") == row.response_id, row.file
                assert seen.reason == (row.incomplete or {}).get("reason", seen.reason)
                assert seen.is_suspect == ("zero_usage" in row.kinds), row.file
                if row.tool_usage is not None:
                    assert seen.tools.web_searches == searches_in(row), row.file
                assert len(offsets) == (terminal is not None), row.file


@BYTE_BY_BYTE
@pytest.mark.needs_recordings
def test_every_recorded_body_at_every_kind_of_cut(small_bytes_max: int) -> None:
    terminals = {"complete", "completed", "incomplete", "cancelled", "failed"}
    rows = index_rows(api="responses", stream=False)
    assert len(rows) >= 100
    for seed, row in enumerate(rows):
        for chunks in cuts_of(row.read(), seed, small_bytes_max):
            for body_bytes_max in (1 << 20, 64):
                seen = watch(BodyObserver(body_bytes_max=body_bytes_max), chunks)
                is_ended = row.terminal in terminals
                wanted = f"response.{row.terminal.ljust(9, 'd')}" if is_ended else None
                assert seen.terminal == wanted, row.file
                assert seen.usage == usage_in(row), row.file
                assert (seen.model or "", seen.service_tier or "") == (row.model, row.service_tier)
                if row.tool_usage is not None:
                    assert seen.tools.web_searches == searches_in(row), row.file
                assert seen.problem is None, (row.file, seen.problem)
                assert seen.is_suspect == (is_ended and (row.usage or {}).get("output_tokens") == 0)


@pytest.mark.needs_recordings
def test_no_other_recording_is_taken_for_a_response() -> None:
    for row in index_rows():
        if row.api == "responses":
            continue
        observer: Observer = StreamObserver() if row.is_stream else BodyObserver()
        seen = watch(observer, [row.read()])
        assert (seen.terminal, seen.usage, seen.problem) == (None, None, None), row.file
