"""Writes events as server-sent events, with the flaws that were asked for. Pure and lazy.

A Segment is a run of body bytes that knows where the terminal event begins and ends. Huge events
come as many segments, so that their bulk never exists as a whole.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gateway.simulator.directive import JsonObject
from gateway.simulator.faults import Faults
from gateway.simulator.script import TERMINAL_TYPES
from gateway.simulator.tool_narration import FILLER

MIB = 1024 * 1024
FILLER_BLOCK = b"A" * (64 * 1024)
GARBAGE = b"data: {not json\n\n\xff\xfe\x00 no field here\nretry: soon\ndata\n\n"
GZIP_WINDOW_BITS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A run of body bytes: part of one event, or of a whole body."""

    data: bytes
    is_first: bool = True  # of its event
    is_last: bool = True
    is_terminal: bool = False
    due_at: float | None = None  # not to be sent before, in Unix seconds


def stream_segments(
    events: Iterable[JsonObject], faults: Faults, filler_mib: int = 0
) -> Iterator[Segment]:
    if faults.has_bom:
        yield Segment(data=b"\xef\xbb\xbf")
    for number, event in enumerate(events):
        is_terminal = event.get("type") in TERMINAL_TYPES
        if is_terminal and faults.is_without_terminal:
            break
        if faults.has_comments:
            yield Segment(data=_line_ends(b": still working\n\n", faults))
        if faults.has_garbage and number == 2:  # noqa: PLR2004 - amid the first events
            yield Segment(data=_line_ends(GARBAGE, faults))
        frame = _line_ends(_frame(event, faults, is_terminal=is_terminal), faults)
        yield from _filled(frame, filler_mib, is_terminal=is_terminal)
    if faults.has_done:
        yield Segment(data=_line_ends(b"data: [DONE]\n\n", faults))


def chunk_segments(
    chunks: Iterable[JsonObject], faults: Faults, filler_mib: int = 0
) -> Iterator[Segment]:
    """The same for a chat completion, which `[DONE]` ends."""
    yield from stream_segments(chunks, replace(faults, has_done=False), filler_mib)
    if not faults.is_without_terminal:
        end = b"\n" if faults.is_without_blank_line else b"\n\n"
        yield Segment(data=_line_ends(b"data: [DONE]" + end, faults), is_terminal=True)


def body_segments(body: bytes, filler_mib: int = 0) -> Iterator[Segment]:
    """Yield a whole body; the filler's place in it is filled lazily too."""
    yield from _filled(body, filler_mib, is_terminal=True)


def body_length(body: bytes, filler_mib: int) -> int:
    mark = FILLER.encode()
    if not filler_mib or mark not in body:
        return len(body)
    return len(body) - len(mark) + filler_mib * MIB


def gzipped(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Compress, flushed segment by segment as a streaming server does."""
    packer = zlib.compressobj(wbits=GZIP_WINDOW_BITS)
    for segment in segments:
        data = packer.compress(segment.data) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield Segment(
            data=data,
            is_first=segment.is_first,
            is_last=segment.is_last,
            is_terminal=segment.is_terminal,
        )
    yield Segment(data=packer.flush())


def json_bytes(value: object, *, indent: int | None = None) -> bytes:
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators).encode()


def _frame(event: JsonObject, faults: Faults, *, is_terminal: bool) -> bytes:
    is_bare = faults.is_without_event_lines or "type" not in event
    name = b"" if is_bare else b"event: %b\n" % event["type"].encode()
    end = b"\n" if is_terminal and faults.is_without_blank_line else b"\n\n"
    return name + b"data: " + json_bytes(event) + end


def _line_ends(frame: bytes, faults: Faults) -> bytes:
    return frame if faults.line_end == b"\n" else frame.replace(b"\n", faults.line_end)


def _filled(frame: bytes, filler_mib: int, *, is_terminal: bool) -> Iterator[Segment]:
    before, mark, after = frame.partition(FILLER.encode())
    if not mark or not filler_mib:
        yield Segment(data=frame, is_terminal=is_terminal)
        return
    yield Segment(data=before, is_last=False, is_terminal=is_terminal)
    for _ in range(filler_mib * MIB // len(FILLER_BLOCK)):
        yield Segment(data=FILLER_BLOCK, is_first=False, is_last=False, is_terminal=is_terminal)
    yield Segment(data=after, is_first=False, is_terminal=is_terminal)
