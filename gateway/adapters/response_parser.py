"""The bytes of HTTP/1.1 responses to status, headers and body pieces. No socket, no clock.

The parser proper is httptools'. Here is what it leaves open: interim responses, responses without
a body, bodies that only a close ends, bounds, and what came after the end. Reading from a socket
is `connection`'s work.
"""

from collections import deque

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_BYTES_MAX = 64 * 1024
BODILESS_STATUSES = frozenset({204, 304})
CLOSED_BEFORE_HEAD = "Server disconnected without sending a response."
CLOSED_IN_BODY = "peer closed connection without sending complete message body"


class ResponseParser:
    """Reads one response after another on a connection; `begin` precedes each.

    Not slotted: httptools looks its callbacks up once, so an instance lives as long as its
    connection and there is nothing to save.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin(is_head=False)

    def begin(self, *, is_head: bool) -> None:
        """Forget the last response. `is_head`: the request was HEAD, its answer has no body."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: deque[bytes] = deque()
        self.chunk_bytes = 0
        self.is_headed = False
        self.is_complete = False
        self.is_close_delimited = False
        self.is_reusable = False
        self._is_head = is_head
        self._is_interim = False
        self._head_bytes = 0
        self._quiet_bytes = 0

    def feed(self, data: memoryview) -> None:
        """Take what was read. Raises RemoteProtocolError where it is not HTTP or has no end."""
        if self.is_complete:
            self.is_reusable = False
            return
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._break(str(error.__context__ or error))
        # Heads, trailers and chunk extensions without end: none of them makes progress.
        if self._quiet_bytes > HEAD_BYTES_MAX and not self.is_complete:
            self._break("header or trailer section too large")

    def finish(self, *, is_authentic: bool) -> None:
        """The peer sends no more: a clean end only where the close itself is the framing.

        `is_authentic`: the peer said so itself, not merely someone between.
        """
        self.is_reusable = False
        if self.is_headed and self.is_close_delimited and is_authentic:
            self.is_complete = True
        if not self.is_headed:
            raise httpx.RemoteProtocolError(CLOSED_BEFORE_HEAD)
        if not self.is_complete:
            raise httpx.RemoteProtocolError(CLOSED_IN_BODY)

    def take(self) -> bytes:
        """The next piece of the body; there must be one."""
        chunk = self.chunks.popleft()
        self.chunk_bytes -= len(chunk)
        return chunk

    def take_some(self) -> bytes:
        """What is there of the body up to its last piece, as one; then that piece.

        Who holds the last piece back until another follows it must not hold back what precedes it.
        """
        if len(self.chunks) <= 2:  # noqa: PLR2004 - one to take, and the last
            chunk = self.chunks.popleft()
            self.chunk_bytes -= len(chunk)
            return chunk
        last = self.chunks.pop()
        some = b"".join(self.chunks)
        self.chunks.clear()
        self.chunks.append(last)
        self.chunk_bytes = len(last)
        return some

    def _break(self, reason: str) -> None:
        """What follows a whole response spoils the connection, not the response."""
        self.is_reusable = False
        if not self.is_complete:
            raise httpx.RemoteProtocolError(reason)

    # The callbacks of httptools, by its names.

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise httpx.RemoteProtocolError("bytes after the end of the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_headed:
            return  # a trailer: discarded, RFC 9110 section 6.5.1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES_MAX:
            raise httpx.RemoteProtocolError("header section too large")
        self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in {"1.1", "1.0"}:
            raise httpx.RemoteProtocolError("not an HTTP/1 response")
        if status < 200:  # noqa: PLR2004 - RFC 9110 section 15.2: interim responses are below 200
            self._skip_interim(status)
            return
        self.status = status
        self.is_headed = True
        self._quiet_bytes = 0
        self._frame(status)

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._quiet_bytes = 0
            self.chunk_bytes += len(body)
            self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif not self.is_complete:
            self.is_complete = True
            self.is_reusable = self._parser.should_keep_alive()

    def _skip_interim(self, status: int) -> None:
        if status in {0, 101}:
            raise httpx.RemoteProtocolError(f"unasked status {status}")
        self._is_interim = True
        self.headers = []

    def _frame(self, status: int) -> None:
        """Decide what ends the body; httptools cannot know of HEAD nor of a close."""
        framing = {name.lower(): value for name, value in self.headers if len(name) in {14, 17}}
        encoding = framing.get(b"transfer-encoding")
        if encoding is not None and encoding.lower() != b"chunked":
            raise httpx.RemoteProtocolError("a transfer-encoding that was not asked for")
        if self._is_head:
            # httptools waits for the body that HEAD does not have: this connection ends here.
            self.is_complete = True
        elif status not in BODILESS_STATUSES:
            self.is_close_delimited = encoding is None and b"content-length" not in framing
