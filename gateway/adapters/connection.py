"""One connection to the upstream: writes a request, reads its response, keeps the time.

Belongs here: the socket's events, backpressure, the timeouts of an exchange. Not here: which
connection a request gets and what becomes of it afterwards (`transport`), what the bytes mean
(`response_parser`). Errors are httpx's, as the transport interface wants them.
"""

import asyncio
import math
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import cast

import httpx

from gateway.adapters.response_parser import ResponseParser

READ_BYTES_MAX = 64 * 1024
UNREAD_BYTES_MAX = 64 * 1024
WRITE_BYTES_MAX = 256 * 1024
RECEIVE_BUFFER_BYTES = 128 * 1024

Phases = Mapping[str, float | None]
Take = Callable[[bytes], bool]  # told a piece of a body; True: no more of it for now


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 connection on which one exchange runs at a time.

    One coroutine waits at a time, on one future, with one deadline. The timer behind it is only
    touched when a deadline comes earlier than the timer: a stream's events cost no timer. Nor do
    they wake a task: while a body is poured, its pieces are handed on as they are read.
    """

    def __init__(self, *, read_buffer: memoryview, on_lost: Callable[["Connection"], None]) -> None:
        self.response = ResponseParser()
        self.is_parked = True
        self.parked_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._read_buffer = read_buffer
        self._on_lost = on_lost
        self._failure: httpx.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None  # while a body is poured
        self._take_failure: Exception | None = None
        self._idle_seconds: float | None = None
        self._deadline = math.inf
        self._late: type[httpx.TimeoutException] = httpx.ReadTimeout
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._is_read_paused = False
        self._is_write_paused = False
        self._is_written = False

    # The exchange, as the transport drives it.

    async def exchange(self, head: bytes, body: bytes, *, is_head: bool, phases: Phases) -> None:
        """Write a request and return when the head of its response is there."""
        if not self.is_alive:
            raise httpx.ConnectError("the connection closed before the request was written")
        self.response.begin(is_head=is_head)
        self.is_parked = self._is_written = False
        await self._write(head, body, phases.get("write"))
        deadline = self._deadline_in(phases.get("read"))
        while not self.response.is_headed:
            await self._wait(deadline, httpx.ReadTimeout)

    async def next_chunk(self, seconds: float | None) -> bytes | None:
        """The next piece of the body as it arrived; None at its clean end."""
        response = self.response
        while not response.chunks:
            self._resume_reading()
            if response.is_complete:
                return None
            await self._wait(self._deadline_in(seconds), httpx.ReadTimeout)
        return response.take()

    async def pour(self, take: Take, seconds: float | None) -> bool:
        """Hand the body to `take` as it arrives, until it wants no more for now: then True.

        False at the body's clean end. `seconds`: how long it may be silent.
        """
        response = self.response
        self._idle_seconds = seconds
        while True:
            while response.chunks:
                if take(response.take_some()):
                    return True
            self._resume_reading()
            if response.is_complete:
                return False
            self._take = take
            try:
                await self._wait(self._deadline_in(seconds), httpx.ReadTimeout)
                if self._take_failure is not None:
                    raise self._take_failure
                if self._take is None:
                    return True
            finally:
                self._take = self._take_failure = None

    def park(self) -> bool:
        """End the exchange. False: not fit for another one."""
        is_fit = self._is_written and self.response.is_complete and self.response.is_reusable
        if not is_fit or not self.is_alive or self._transport.get_write_buffer_size():
            return False
        self.is_parked = True
        self.parked_at = self._loop.time()
        self._resume_reading()
        return self.is_alive

    def abort(self) -> None:
        """Close at once, whatever is under way. May be repeated."""
        self._transport.abort()

    @property
    def is_alive(self) -> bool:
        return self._failure is None and not self._transport.is_closing()

    @property
    def is_silent(self) -> bool:
        """Nothing waits to be read. Asks the kernel: a busy loop has not seen the close yet."""
        return self.is_alive and not self._poll.poll(0)

    async def _write(self, head: bytes, body: bytes, seconds: float | None) -> None:
        """In slices, so that a timeout means a stall and not a large body on a slow line."""
        self._transport.write(head + body[:WRITE_BYTES_MAX])
        view = memoryview(body)
        for start in range(WRITE_BYTES_MAX, len(body), WRITE_BYTES_MAX):
            if not await self._is_drained(seconds):
                return
            self._transport.write(view[start : start + WRITE_BYTES_MAX])
        self._is_written = await self._is_drained(seconds)

    async def _is_drained(self, seconds: float | None) -> bool:
        """Wait for room to write. False: answered before it had read all, it wants no more."""
        if not self._is_write_paused:
            return True
        deadline = self._deadline_in(seconds)
        while self._is_write_paused and not self.response.is_headed:
            await self._wait(deadline, httpx.WriteTimeout)
        return not self._is_write_paused

    # Waiting.

    def _deadline_in(self, seconds: float | None) -> float:
        return math.inf if seconds is None else self._loop.time() + seconds

    async def _wait(self, deadline: float, late: type[httpx.TimeoutException]) -> None:
        """Until something happened; raises if that was the connection's end."""
        if self._failure is not None:
            raise self._failure
        self._deadline, self._late = deadline, late
        if deadline < self._timer_at:
            self._arm(deadline)
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _is_handed_on(self, take: Take) -> bool:
        """Hand on what was read. True: whoever pours has to go on himself."""
        response = self.response
        self._deadline = self._deadline_in(self._idle_seconds)
        try:
            while response.chunks and self._take is not None:
                if take(response.take_some()):
                    self._take = None
        except Exception as error:  # noqa: BLE001 - it is his who pours, and goes to him
            self._take, self._take_failure = None, error
        return self._take is None or response.is_complete

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)
        self._timer_at = deadline

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._waiter is None or self._deadline == math.inf:
            return  # whoever waits next arms it again
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
        else:
            self._fail(self._late("the upstream made no progress in time"))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._failure is None:
            self._failure = error
        self._transport.abort()
        self._wake()

    def _resume_reading(self) -> None:
        if self._is_read_paused and self.is_alive:
            self._is_read_paused = False
            self._transport.resume_reading()

    def _is_end_authentic(self) -> bool:
        """Over TLS only the peer's goodbye is its own: anyone on the way can close a socket."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return tls.read(1) == b""
        except ssl.SSLError:
            return False

    # The callbacks of asyncio, by its names.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.is_parked:
            self._transport.abort()  # nobody asked: not a connection to send a request on
            return
        try:
            self.response.feed(self._read_buffer[:nbytes])
        except httpx.RemoteProtocolError as error:
            self._fail(error)
            return
        if self._take is not None and not self._is_handed_on(self._take):
            return
        if self.response.chunk_bytes > UNREAD_BYTES_MAX and not self._is_read_paused:
            self._is_read_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        if not self.is_parked:
            try:
                self.response.finish(is_authentic=self._is_end_authentic())
            except httpx.RemoteProtocolError as error:
                self._fail(error)
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._failure is None:
            # Without an EOF before it, not even a body that a close ends has ended cleanly.
            self._failure = httpx.ReadError(str(exc or "the connection was closed"))
        self._wake()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._wake()
