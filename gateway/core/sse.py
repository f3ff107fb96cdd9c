"""Server-sent events out of bytes, exactly as WHATWG defines them, in bounded memory.

Here: lines, fields and events, and where in a chunk an event begins and ends. Not here: what an
event means. Only LF, CR and CRLF end a line; everything else Python calls a line break is data.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

EVENT_BYTES_MAX = 1 << 20
EVENT_BYTES_LEAST = 16  # a limit must leave room to tell which field a line is
PIECE_BYTES_MAX = 1 << 18  # a longer line is walked in pieces, so that no second copy of it exists
RETRY_DIGITS_MAX = 15
BOM = b"\xef\xbb\xbf"

_CR, _LF = b"\r\n"


class Overflow(Protocol):
    """Takes the data of an event that is too large to be kept, piece by piece."""

    def feed(self, piece: bytes, /) -> None: ...


# A struct, as one is made for each event, and a frozen dataclass takes 15 times as long to make.
class ServerSentEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One dispatched event; `start` and `end` are offsets in the chunk that completed it.

    `start` is 0 when the event began in an earlier chunk. `data` is None when it outgrew the limit
    and went to `overflow`.
    """

    type: str
    data: bytes | None
    last_event_id: str
    start: int
    end: int
    overflow: Overflow | None = None

    @property
    def text(self) -> str:
        return (self.data or b"").decode("utf-8", "replace")


class SSEDecoder:
    """Feed it chunks cut anywhere; it answers the events that each one completed."""

    def __init__(
        self,
        *,
        event_bytes_max: int = EVENT_BYTES_MAX,
        overflow: Callable[[], Overflow] | None = None,
    ) -> None:
        assert event_bytes_max >= EVENT_BYTES_LEAST
        self.retry_ms: int | None = None
        self.last_event_id = ""
        self._event_bytes_max = event_bytes_max
        self._overflow = overflow
        self._head: bytes | None = b""  # the first bytes, until it is known whether they are a BOM
        self._is_after_cr = False  # a LF that comes next belongs to the line end already taken
        self._line = bytearray()  # a line whose end has not come yet
        self._is_spilling = False  # the rest of this line goes to the overflow
        self._is_dropping = False  # the rest of this line goes nowhere
        self._start: int | None = None  # where the event in the making began
        self._type = b""
        self._next_event_id = ""
        self._data: bytes | bytearray | None = None
        self._is_large = False
        self._spill: Overflow | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        position = 0 if self._head is None else self._skip_bom(chunk)
        if self._is_after_cr and position < len(chunk):
            self._is_after_cr = False
            position += chunk[position] == _LF
        if b"\r" not in chunk:
            position = self._take_events(chunk, position, events)
        if position < len(chunk):
            self._take_lines(chunk, position, events)
        if self._start is not None:
            self._start = 0
        return events

    def end(self) -> ServerSentEvent | None:
        """The last event, when its blank line never came. WHATWG drops it; its reader may not."""
        if self._head:
            self._line += self._head
        self._head = None
        self._finish_line(b"", 0)
        return self._dispatch(0)

    def _skip_bom(self, chunk: bytes) -> int:
        held = self._head or b""
        head = held + chunk[: len(BOM) - len(held)]
        if head != BOM and BOM.startswith(head):
            self._head = head
            return len(chunk)
        self._head = None
        if head == BOM:
            return len(BOM) - len(held)
        self._line += held  # what began like a BOM and is none is the start of the first line
        return 0

    @property
    def is_between_events(self) -> bool:
        """Whether the next chunk begins an event: all that was fed belongs to one that is over."""
        return self._head is None and not self._is_after_cr and not self._is_within_event()

    def _is_within_event(self) -> bool:
        return bool(self._line or self._is_dropping or self._is_spilling or self._start is not None)

    def _take_events(self, chunk: bytes, position: int, events: list[ServerSentEvent]) -> int:
        """The fast path: whole events of the plain form `[event: X LF] data: Y LF LF`.

        It stops before the first one that is anything else; the line by line path takes over.
        """
        if self._is_within_event():
            return position
        limit = self._event_bytes_max
        while True:
            name, data_start = "message", position + 6
            if chunk.startswith(b"event: ", position):
                line_end = chunk.find(b"\n", position)
                name = chunk[position + 7 : line_end].decode("utf-8", "replace") or name
                data_start = line_end + 7
                if line_end < 0 or line_end - position > limit:
                    return position
            if not chunk.startswith(b"data: ", data_start - 6):
                return position
            data_end = chunk.find(b"\n", data_start)
            if data_end < 0 or data_end - data_start > limit:
                return position
            end = data_end + 2
            if not chunk.startswith(b"\n", end - 1):
                return position
            self.last_event_id = self._next_event_id
            events.append(
                ServerSentEvent(
                    type=name,
                    data=chunk[data_start:data_end],
                    last_event_id=self.last_event_id,
                    start=position,
                    end=end,
                )
            )
            position = end

    def _take_lines(self, chunk: bytes, position: int, events: list[ServerSentEvent]) -> None:
        """The exact path: any line end, any field, lines begun earlier or not ended yet."""
        size = len(chunk)
        lf = cr = -1
        line_start = position
        while position < size:
            # Each search goes on from where it last ended, or CR-only input would be quadratic.
            lf = lf if lf >= position else _find(chunk, b"\n", position)
            cr = cr if cr >= position else _find(chunk, b"\r", position)
            line_end = min(lf, cr)
            if line_end == size or line_end - position > PIECE_BYTES_MAX:
                stop = min(line_end, position + PIECE_BYTES_MAX)
                self._take_piece(chunk[position:stop], line_start)
                position = stop
                continue
            is_blank = self._finish_line(chunk[position:line_end], line_start)
            position = line_start = self._after(chunk, line_end)
            if is_blank:
                event = self._dispatch(position)
                if event:
                    events.append(event)
                if cr == size:
                    position = line_start = self._take_events(chunk, position, events)

    def _after(self, chunk: bytes, line_end: int) -> int:
        position = line_end + 1
        if chunk[line_end] == _CR:
            if position == len(chunk):
                self._is_after_cr = True
            elif chunk[position] == _LF:
                position += 1
        return position

    def _take_piece(self, piece: bytes, line_start: int) -> None:
        """Part of a line whose end is not in sight: keep it, or pass it on when it is too large."""
        if self._is_spilling:
            self._pass_on(piece)
        elif not self._is_dropping:
            self._line += piece
            self._relieve(line_start)

    def _relieve(self, line_start: int) -> None:
        line = self._line
        if line.startswith(b"data:"):
            value_start = 5 + line.startswith(b" ", 5)
            value_bytes = len(line) - value_start
            if value_bytes and self._outgrows(value_bytes):
                self._begin(line_start)
                self._add_data(bytes(line[value_start:]))
                self._is_spilling = True
                line.clear()
        elif line.startswith(b":") or len(line) > self._event_bytes_max:
            if not line.startswith(b":"):
                self._begin(line_start)
            self._is_dropping = True
            line.clear()

    def _finish_line(self, rest: bytes, line_start: int) -> bool:
        """The line ends with `rest`. True when it was blank."""
        if self._is_spilling:
            self._pass_on(rest)
        elif not self._is_dropping:
            line = bytes(self._line) + rest if self._line else rest
            self._line.clear()
            if not line:
                return True
            self._take_field(line, line_start)
        self._is_spilling = self._is_dropping = False
        return False

    def _take_field(self, line: bytes, line_start: int) -> None:
        name, colon, value = line.partition(b":")
        if colon and not name:
            return
        self._begin(line_start)
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add_data(value)
        elif len(line) > self._event_bytes_max:
            return  # as it is when such a line comes in pieces
        elif name == b"event":
            self._type = value
        elif name == b"id" and b"\0" not in value:
            self._next_event_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= RETRY_DIGITS_MAX:
            self.retry_ms = int(value)

    def _begin(self, line_start: int) -> None:
        if self._start is None:
            self._start = line_start

    def _outgrows(self, more_bytes: int) -> bool:
        kept_bytes = 0 if self._data is None else len(self._data) + 1
        return self._is_large or kept_bytes + more_bytes > self._event_bytes_max

    def _add_data(self, value: bytes) -> None:
        """One more data line. Once the event is too large, all of it is the overflow's."""
        if self._outgrows(len(value)):
            if not self._is_large:
                self._is_large = True
                self._spill = self._overflow() if self._overflow else None
                if self._data is not None:
                    self._pass_on(bytes(self._data) + b"\n")
                    self._data = b""
            else:
                self._pass_on(b"\n")
            self._pass_on(value)
        elif self._data is None:
            self._data = value
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n" + value

    def _pass_on(self, piece: bytes) -> None:
        if self._spill is not None:
            self._spill.feed(piece)

    def _dispatch(self, end: int) -> ServerSentEvent | None:
        self.last_event_id = self._next_event_id
        event = None
        if self._data is not None or self._is_large:
            event = ServerSentEvent(
                type=self._type.decode("utf-8", "replace") or "message",
                data=None if self._is_large else bytes(self._data or b""),
                last_event_id=self.last_event_id,
                start=self._start or 0,
                end=end,
                overflow=self._spill,
            )
        self._start = self._data = self._spill = None
        self._type = b""
        self._is_large = False
        return event


def _find(chunk: bytes, end: bytes, position: int) -> int:
    found = chunk.find(end, position)
    return len(chunk) if found < 0 else found
