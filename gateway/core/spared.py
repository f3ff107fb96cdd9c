"""A stream less the events that tell its usage, for a client that did not ask for them.

Only whole events leave, so that one can be left out whole; all other bytes stay as they are. Not
here: which events those are (`chat_stream`).
"""

from gateway.core.chat_stream import ChatStreamObserver

# An event's beginning that waits for its end. One that tells the usage is a hundredth of it.
HELD_BYTES_MAX = 1 << 16


class Spared:
    """Stands before a stream's observer: it sees all, its client all but the usage."""

    def __init__(self, observer: ChatStreamObserver) -> None:
        self._observer = observer
        self._tail = b""
        self._is_torn = False  # the tail's event has left in part: the rest of it must follow

    def feed(self, chunk: bytes) -> tuple[bytes, int | None]:
        """Bytes for the client, and where in them the terminal event begins, if it is complete."""
        data = self._tail + chunk
        end = _events_end(data)
        was_torn = self._is_torn
        self._is_torn = len(data) - end > HELD_BYTES_MAX or (was_torn and not end)
        if self._is_torn:
            end = len(data)
        self._tail = data[end:]
        return self._less(data[:end], was_torn=was_torn)

    def end(self) -> bytes:
        """What has come and not left; nothing comes after it."""
        tail, self._tail = self._tail, b""
        return self._less(tail, was_torn=self._is_torn)[0]

    def _less(self, data: bytes, *, was_torn: bool) -> tuple[bytes, int | None]:
        cut = self._observer.feed(data)
        kept, position = b"", 0
        for start, end in self._observer.usage_events:
            if start or not was_torn:
                kept += data[position:start]
                position = end
        if cut is None:
            return kept + data[position:], None
        kept += data[position:cut]
        tail, self._tail = self._tail, b""
        return kept + data[cut:] + tail, len(kept)


def _events_end(data: bytes) -> int:
    """Behind the last blank line; a CR at the end may be half of one."""
    size = len(data) - data.endswith(b"\r")
    found = max(data.rfind(pair, 0, size) for pair in (b"\n\n", b"\r\r", b"\n\r"))
    if found < 0:
        return 0
    end = found + 2
    return end + (data[end - 1] == ord("\r") and data.startswith(b"\n", end))
