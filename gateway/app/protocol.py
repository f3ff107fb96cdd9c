"""The server's side of a client's connection: uvicorn's HTTP/1.1 protocol with what it lacks.

- A declined upgrade (`h2c`, which every JDK client offers) no longer loses the request's body.
- A client that half-closes after its request still gets the whole answer, and a broken request
  behind it does not cut it off.
- A slow or oversized head, a slow body, and a client that stops reading, end by a limit.

Not here: anything about the requests themselves; what the application may know (`connection`).
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.app.connection import CONNECTION, Connection
from gateway.app.errors import error_body, error_headers
from gateway.app.framing import check_framing, check_target, malformed, without_offer
from gateway.app.health import PROBES
from gateway.core.errors import GatewayError, HeadersTooLarge, Overloaded, RequestTooSlow

BODY_PIECE_BYTES = 16_384  # what must come within a limit: a byte now and then is no progress
PROBES_AT_ONCE = 64  # connections beyond the limit, each for one probe: full is not dead
_TOO_MANY = "The gateway has as many connections as it takes (limits.connections_max)."
LINGER_SECONDS = 2.0  # for a refused client to read why, before the connection is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressLimits:
    """What a client's connection may take. Bytes and seconds."""

    connections_max: int = 10_000
    header_bytes_max: int = 65_536
    head_seconds_max: float = 15.0
    body_stall_seconds_max: float = 15.0
    write_stall_seconds_max: float = 60.0


class GatewayProtocol(HttpToolsProtocol):
    """One client connection. `limits` is set by `protocol_with`."""

    limits = IngressLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = True  # a connection that sends nothing is a slow head too
        self._is_in_body = False
        self.is_half_closed = False
        self._is_deaf = False  # what comes after the last request is read and dropped
        self._is_all_head = False  # nothing but a head was received this time
        self._head_bytes = 0
        self._piece_bytes = 0
        self._read_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._is_declined = False
        self._running = self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        surplus = len(self.connections) - self.limits.connections_max
        self._is_surplus = surplus > 0
        if surplus > PROBES_AT_ONCE:
            self._write_error(Overloaded(_TOO_MANY))
            transport.close()
            return
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_read_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)
        if self._running is not None:  # not always the last one, which uvicorn tells
            under_way = self._running.scope["state"].get(CONNECTION)
            if under_way is not None:
                under_way.lost()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._is_all_head = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._replay(data[offer.args[0] :])
        except httptools.HttpParserError as failure:
            cause = failure.__context__  # what a callback of ours raised, if one did
            self._refuse(cause if isinstance(cause, GatewayError) else malformed())
        else:
            if self._is_in_head:
                self._watch_head(len(data) if self._is_all_head else 0)
            elif self._is_in_body:
                self._watch_body(len(data))

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio's own signature
        """A client that has sent its whole request may close its side and read on."""
        self.is_half_closed = self._lets_answer_finish()
        return self.is_half_closed or None

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
        # Not at every byte, as uvicorn does: what is left of an answered request's body would keep
        # the connection for ever.
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_read_timer()
        self._unset_keepalive_if_required()
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if head_bytes > self.limits.header_bytes_max:
            raise HeadersTooLarge
        if self._is_surplus and self.url not in PROBES:
            raise Overloaded(_TOO_MANY)
        check_target(self.url, method=self.parser.get_method())
        check_framing(self.headers, version=self.parser.get_http_version())
        self._is_declined = self.parser.should_upgrade()
        if not self._is_declined:
            super().on_headers_complete()
            self._is_in_body = True
            self.cycle.keep_alive &= not self._is_surplus
            self.scope["state"][CONNECTION] = Connection(self, self.cycle)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        self._stop_read_timer()
        self._is_all_head = False
        if not self._is_declined:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Our own
    def _watch_head(self, received_bytes: int) -> None:
        self._head_bytes += received_bytes
        if self._head_bytes > self.limits.header_bytes_max:
            self._refuse(HeadersTooLarge())
        elif self._read_timer is None:
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        self._read_timer = self.loop.call_later(self.limits.head_seconds_max, self._end_slow_head)

    def _end_slow_head(self) -> None:
        if not self._lets_answer_finish():
            self.transport.close()

    def _watch_body(self, received_bytes: int) -> None:
        self._piece_bytes += received_bytes
        if self._read_timer is None or self._piece_bytes >= BODY_PIECE_BYTES:
            self._start_body_timer()

    def _start_body_timer(self) -> None:
        self._stop_read_timer()
        self._piece_bytes = 0
        self._read_timer = self.loop.call_later(
            self.limits.body_stall_seconds_max, self._end_slow_body
        )

    def _end_slow_body(self) -> None:
        if self.flow.read_paused:  # it is the application that does not read
            self._start_body_timer()
        else:
            self._refuse(RequestTooSlow())

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _replay(self, rest: bytes) -> None:
        """Read a request that offered an upgrade again, without the offer: we serve none.

        The parser has stopped at the head's end, and what follows it would be lost.
        """
        version = self.parser.get_http_version()
        head = without_offer(self.parser.get_method(), self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _refuse(self, error: GatewayError) -> None:
        self._stop_read_timer()
        if self._lets_answer_finish():
            return
        is_begun = self._is_in_body and self.cycle.response_started
        if self._is_in_body:
            self.cycle.disconnected = True  # its own body is broken: the application hears of it
            self.cycle.message_event.set()
        if not is_begun:
            self._write_error(error)
        # Closing with bytes unread would reset the connection, and the client not learn why.
        self._is_deaf = True
        self.transport.write_eof()
        self._read_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _write_error(self, error: GatewayError) -> None:
        body = error_body(error)
        content = [STATUS_LINE[error.status]]
        for name, value in error_headers(error, body=body):
            content += [name, b": ", value, b"\r\n"]
        self.transport.write(b"".join([*content, b"connection: close\r\n\r\n", body]))

    def _lets_answer_finish(self) -> bool:
        """Whether an earlier, whole request is being answered: that ends in peace, as the last."""
        if self.pipeline and self._is_in_body:
            self.pipeline.popleft()  # the request that will never be whole, behind whole ones
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running
            self._is_in_body = False
        if self.cycle is None or self.cycle.response_complete or self._is_in_body:
            return False
        self.cycle.keep_alive = False
        self._is_deaf = True
        return True


def protocol_with(limits: IngressLimits) -> type[GatewayProtocol]:
    """The protocol class with these limits: uvicorn makes an instance for each connection."""
    return type("LimitedGatewayProtocol", (GatewayProtocol,), {"limits": limits})
