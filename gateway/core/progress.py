"""How far a response has come, at its three levels: response, item, content part.

Fed with the few events that open and close items and parts; all others are only counted elsewhere,
so the bytes never wait for this. What an item was is forgotten when it ends. Not here: the bytes
(`stream`), or who watches (`app.live`).
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

DECODED_BYTES_MAX = 4096  # of an event that opens something; a larger one is only counted
ITEMS_MAX = 64  # open at once; more are only counted

_ITEM_ADDED = "response.output_item.added"
_ITEM_DONE = "response.output_item.done"
_PART_ADDED = frozenset({"response.content_part.added", "response.reasoning_summary_part.added"})
_PART_DONE = frozenset({"response.content_part.done", "response.reasoning_summary_part.done"})
EVENTS = frozenset({_ITEM_ADDED, _ITEM_DONE}) | _PART_ADDED | _PART_DONE

# An event that ends an item repeats all of it: only the numbers and words before that are read.
_index_before = re.compile(
    rb'\s*\{(?:\s*"[a-z_]+"\s*:\s*(?:[0-9]+|"[^"\\]*")\s*,){0,8}?\s*"output_index"\s*:\s*([0-9]{1,9})\b'
).match


class _Typed(Struct):
    type: str = ""


class _Opening(Struct):
    output_index: int = -1
    item: _Typed | None = None
    part: _Typed | None = None


class OpenItem(Struct):
    """An output item that has begun and not ended. `part`: the type of the part that is open."""

    type: str
    part: str | None = None


class SoFar(Struct, frozen=True, kw_only=True):
    """Where an exchange is. Tokens are about right: a delta counts as one, hidden ones do not."""

    phase: str
    age_seconds: float
    first_byte_seconds: float | None
    items_ended: int
    output_tokens: int
    cost_pusd: int | None  # of that output; None: no price is known
    client_gone: bool


class Progress:
    """The items of one response that are open, by their index. Never raises."""

    def __init__(self) -> None:
        self.items_ended = 0
        self.open: dict[int, OpenItem] = {}

    def take(self, kind: str, data: bytes | None) -> None:
        """One of `EVENTS`; `data` None where it was too large to be kept."""
        if kind == _ITEM_DONE:
            self._end(data)
        elif data is not None and len(data) <= DECODED_BYTES_MAX:
            self._change(kind, data)

    def _change(self, kind: str, data: bytes) -> None:
        try:
            said = msgspec.json.decode(data, type=_Opening)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        item = self.open.get(said.output_index)
        if kind == _ITEM_ADDED:
            if said.item is not None and len(self.open) < ITEMS_MAX:
                self.open[said.output_index] = OpenItem(type=said.item.type[:64])
        elif item is not None:
            is_open = kind in _PART_ADDED and said.part is not None
            item.part = said.part.type[:64] if is_open and said.part else None

    def _end(self, data: bytes | None) -> None:
        self.items_ended += 1
        found = _index_before(data) if data else None
        if found is not None:
            self.open.pop(int(found[1]), None)
        elif len(self.open) == 1:  # no other can be meant
            self.open.clear()

    @property
    def newest(self) -> OpenItem | None:
        """What is being made now: the item that was opened last."""
        return next(reversed(self.open.values()), None)


def deltas(event_counts: Mapping[str, int]) -> int:
    """How many pieces of output passed."""
    return sum(count for kind, count in event_counts.items() if kind.endswith(".delta"))
