"""The server's side of a client's connection: uvicorn's HTTP/1.1 protocol with what it lacks.

- A declined upgrade (`h2c`, which every JDK client offers) no longer loses the request's body.
- A client that half-closes after its request still gets the whole answer.
- A slow or oversized head, and a client that stops reading, end by a limit.

It also hands the application a `Connection`, since ASGI does not tell a hang-up without a task.
Not here: anything about the requests themselves.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.app.errors import error_body, error_headers
from gateway.core.errors import GatewayError, HeadersTooLarge, InvalidRequest

CONNECTION = "connection"  # the key of the `Connection` in an ASGI scope's state


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressLimits:
    """What a client's connection may take. Bytes and seconds."""

    header_bytes_max: int = 65_536
    head_seconds_max: float = 15.0
    write_stall_seconds_max: float = 60.0


class Connection:
    """What the application may know of the connection that a request came on."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @property
    def is_gone(self) -> bool:
        """The client hung up, or was cut off. Known a millisecond after."""
        return self._cycle.disconnected

    def abort(self) -> None:
        """Close without the response's end, so that no client takes it for a whole one."""
        self._cycle.disconnected = True
        self._cycle.transport.close()


class GatewayProtocol(HttpToolsProtocol):
    """One client connection. `limits` is set by `protocol_with`."""

    limits = IngressLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True  # a connection that sends nothing is a slow head too
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._is_declined = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._replay(data[offer.args[0] :])
        except httptools.HttpParserError as failure:
            cause = failure.__context__  # what a callback of ours raised, if one did
            self._refuse(cause if isinstance(cause, GatewayError) else _malformed())
        else:
            if self._is_in_head:
                self._watch_head(len(data))

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own signature
        """A client that has sent its whole request may close its side and read on."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return None
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(
            self.limits.write_stall_seconds_max, self.transport.abort
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()

    # Parser callbacks
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_head_timer()
        if self._head_size() > self.limits.header_bytes_max:
            raise HeadersTooLarge
        self._is_declined = self.parser.should_upgrade()
        if not self._is_declined:
            super().on_headers_complete()
            self.scope["state"][CONNECTION] = Connection(self.cycle)

    def on_message_complete(self) -> None:
        if not self._is_declined:
            super().on_message_complete()

    # Our own
    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _watch_head(self, received_bytes: int) -> None:
        self._head_bytes += received_bytes
        if self._head_bytes > self.limits.header_bytes_max:
            self._refuse(HeadersTooLarge())
        elif self._head_timer is None:
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self._end_slow_head)

    def _end_slow_head(self) -> None:
        if not self._is_answering():
            self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _replay(self, rest: bytes) -> None:
        """Read a request that offered an upgrade again, without the offer: we serve none.

        The parser has stopped at the head's end, and what follows it would be lost.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(InvalidRequest("CONNECT is not served.", code="invalid_http"))
            return
        head = [method, b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            head += [name, b": ", _declined(value) if name == b"connection" else value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([*head, b"\r\n", rest]))

    def _refuse(self, error: GatewayError) -> None:
        self._stop_head_timer()
        if self._is_answering():
            return
        body = error_body(error)
        content = [STATUS_LINE[error.status]]
        for name, value in error_headers(error, body=body):
            content += [name, b": ", value, b"\r\n"]
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its own body is broken: the application hears of it
            self.cycle.message_event.set()
            content = content if not self.cycle.response_started else []
        if content:
            self.transport.write(b"".join([*content, b"connection: close\r\n\r\n", body]))
        self.transport.close()

    def _is_answering(self) -> bool:
        """Whether an earlier, whole request is being answered: that ends in peace, as the last."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        self.flow.pause_reading()
        return True


def _malformed() -> InvalidRequest:
    return InvalidRequest("The request is not valid HTTP/1.1.", code="invalid_http")


def _declined(connection: bytes) -> bytes:
    tokens = [token.strip() for token in connection.split(b",")]
    return b", ".join(token for token in tokens if token.lower() != b"upgrade")


def protocol_with(limits: IngressLimits) -> type[GatewayProtocol]:
    """The protocol class with these limits: uvicorn makes an instance for each connection."""
    return type("LimitedGatewayProtocol", (GatewayProtocol,), {"limits": limits})
