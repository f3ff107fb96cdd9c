"""What the application may know of the connection that a request came on, and do with it.

ASGI does not tell a hang-up without a task, and knows no cut. Not here: the connection's own events
(`protocol`).
"""

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.core.headers import Headers, content_length

CONNECTION = "connection"  # the key of the `Connection` in an ASGI scope's state


class Socket(Protocol):
    """The protocol that the connection is of."""

    @property
    def is_half_closed(self) -> bool: ...


class Connection:
    """What the application may know of the connection that a request came on."""

    __slots__ = ("_cycle", "_protocol", "_tell")

    def __init__(self, protocol: "Socket", cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._tell: Callable[[], None] | None = None

    @property
    def is_gone(self) -> bool:
        """The client hung up, or was cut off.

        A reset is known at once. A plain close looks like a half-close until it is written to.
        """
        return self._cycle.disconnected or (
            self._protocol.is_half_closed and _is_hung_up(self._cycle.transport)
        )

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        """Who is told, once, when the connection is lost: now, if it is. None: nobody."""
        self._tell = tell
        if self._cycle.disconnected:
            self.lost()

    def lost(self) -> None:
        """For the protocol: it is gone."""
        if not self._cycle.response_complete:
            self._cycle.disconnected = True
        self._cycle.message_event.set()
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def begin(self, status: int, headers: Headers, piece: bytes) -> bool:
        """Write an answer's head with the first piece of its body, in one go.

        False where it takes more than that (`send` knows how): only a body whose length is told.
        `headers` can be written as they are.
        """
        cycle = self._cycle
        length = content_length(headers)
        if cycle.response_started or cycle.flow.write_paused or cycle.disconnected:
            return False
        if cycle.scope["method"] == "HEAD" or length is None or len(piece) > length:
            return False
        cycle.response_started = True
        cycle.waiting_for_100_continue = cycle.chunked_encoding = False
        cycle.expected_content_length = length - len(piece)
        lines = [b"%b: %b\r\n" % header for header in [*cycle.default_headers, *headers]]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        cycle.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", piece]))
        return True

    def write(self, piece: bytes) -> bool:
        """Write a piece of an answer's body at once, without the steps of an ASGI message.

        False where it takes more than that (`send` knows how), or where a look has to be taken
        whether the client is there.
        """
        cycle = self._cycle
        if cycle.disconnected:
            return True  # nobody is there to miss it
        if not cycle.chunked_encoding or cycle.flow.write_paused or self._protocol.is_half_closed:
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        return True

    @property
    def is_answered(self) -> bool:
        """An answer has begun: no other can be given."""
        return self._cycle.response_started

    def abort(self) -> None:
        """Close without the response's end, so that no client takes it for a whole one."""
        self._cycle.disconnected = True
        self._cycle.transport.close()


def _is_hung_up(transport: asyncio.Transport) -> bool:
    """Ask the kernel: after the client's EOF the loop reads no more, and misses a reset."""
    if transport.is_closing():
        return True
    asked = select.poll()
    asked.register(transport.get_extra_info("socket").fileno(), 0)
    return bool(asked.poll(0))
