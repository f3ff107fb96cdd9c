"""Our own transport: HTTP/1.1 over asyncio, behind httpx's transport interface.

The stock transport looks at every connection of its pool at every request and collapses under
many streams; this one takes the connection that was used last, in constant time. Belongs here:
pools and the translation from and to httpx's objects. Not here: the socket (`connection`),
retries, headers and our errors (`upstream`). It knows no proxies.
"""

import asyncio
import ssl
from collections import deque
from typing import Self

import httpx

from gateway.adapters.connection import READ_BYTES_MAX, Connection, Phases

SENDING = "gateway.sending"  # extension of a request: called when its first byte is about to leave
PORTS = {"http": 80, "https": 443}


class Pool:
    """The connections to one origin: at most `connections_max`, the last used first.

    A slot is taken from the moment a connection is wanted until its socket is gone. Who finds no
    slot waits in line; a connection that comes back goes to the head of the line.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        connections_max: int,
        idle_seconds_max: float,
        ssl_context: ssl.SSLContext,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = url.raw_host.decode("ascii")
        if url.scheme not in PORTS:
            raise httpx.UnsupportedProtocol(f"not http or https: {url.scheme}")
        self._port = url.port or PORTS[url.scheme]
        self._ssl_context = ssl_context if url.scheme == "https" else None
        self._connections_max = connections_max
        self._idle_seconds_max = idle_seconds_max
        # Shared: the loop fills a buffer and has it read in one go, before any other connection.
        self._read_buffer = memoryview(bytearray(READ_BYTES_MAX))
        self._open: set[Connection] = set()
        self._pending = 0
        self._idle: deque[Connection] = deque()
        self._line: deque[asyncio.Future[Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def acquire(self, phases: Phases) -> Connection:
        """A connection nobody else has; give it back by `release`, or abort it."""
        while True:
            if self._is_closed:
                raise httpx.ConnectError("the transport is closed")
            connection = self._pop_idle()
            if connection is None and self._has_slot:
                self._pending += 1
                return await self._connect(phases.get("connect"))
            connection = connection or await self._queue(phases.get("pool"))
            if connection is None:
                return await self._connect(phases.get("connect"))
            if connection.is_silent:
                return connection
            connection.abort()

    def release(self, connection: Connection) -> None:
        """The exchange is over. What was not read wholly and cleanly is closed."""
        if self._is_closed or not connection.park():
            connection.abort()
            return
        if not self._hand_over(connection):
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(self._idle_seconds_max, self._sweep)

    def close(self) -> None:
        """Close every connection, idle or not, and turn away who waits."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        for connection in self._open:
            connection.abort()
        for waiter in self._line:
            if not waiter.done():
                waiter.set_exception(httpx.ConnectError("the transport is closed"))

    @property
    def _has_slot(self) -> bool:
        return len(self._open) + self._pending < self._connections_max

    def _pop_idle(self) -> Connection | None:
        oldest = self._loop.time() - self._idle_seconds_max
        while self._idle:
            connection = self._idle.pop()
            if connection.parked_at >= oldest and connection.is_alive:
                return connection
            connection.abort()
        return None

    async def _connect(self, seconds: float | None) -> Connection:
        """Open a connection on a slot that is already counted as pending."""
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open_socket()
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        finally:
            self._pending -= 1
            self._grant()
        return connection

    async def _open_socket(self) -> Connection:
        is_tls = self._ssl_context is not None
        _, connection = await self._loop.create_connection(
            lambda: Connection(read_buffer=self._read_buffer, on_lost=self._on_lost),
            self._host,
            self._port,
            ssl=self._ssl_context,
            server_hostname=self._host if is_tls else None,
        )
        if connection.is_alive:
            self._open.add(connection)
        return connection

    async def _queue(self, seconds: float | None) -> Connection | None:
        """Wait in line: a connection, or None for a slot counted as pending."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._line.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except BaseException as error:
            self._give_back(waiter)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("every connection is in use") from None
            raise

    def _give_back(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """What reached a waiter that had just left belongs to the next in line."""
        if waiter.cancelled() or not waiter.done() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is not None:
            self.release(connection)
        else:
            self._pending -= 1
            self._grant()

    def _hand_over(self, connection: Connection | None) -> bool:
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _grant(self) -> None:
        if self._has_slot and not self._is_closed and self._hand_over(None):
            self._pending += 1

    def _on_lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._grant()

    def _sweep(self) -> None:
        """Close what was idle for too long; the longest idle is on the left."""
        self._sweeper = None
        oldest = self._loop.time() - self._idle_seconds_max
        while self._idle and (self._idle[0].parked_at <= oldest or not self._idle[0].is_alive):
            self._idle.popleft().abort()
        if self._idle:
            expires_at = self._idle[0].parked_at + self._idle_seconds_max
            self._sweeper = self._loop.call_at(expires_at, self._sweep)


class RawHeaders(httpx.Headers):
    """Headers that are bytes already: httpx's own way of taking them in costs a third of a
    request. It copies the list of another Headers as it is; a contract test guards the names.
    """

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._list = [(name, name.lower(), value) for name, value in fields]


class ReplyStream(httpx.AsyncByteStream):
    """A response's body; `aclose` must be called, then the connection is free again."""

    def __init__(self, connection: Connection, pool: Pool, phases: Phases) -> None:
        self._connection = connection
        self._pool = pool
        self._phases = phases
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self  # a generator would cost more than what it yields

    async def __anext__(self) -> bytes:
        if self._is_closed:  # the connection may already serve someone else
            raise httpx.ReadError("the reply was closed")
        chunk = await self._connection.next_chunk(self._phases.get("read"))
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pool.release(self._connection)


class FastTransport(httpx.AsyncBaseTransport):
    """One per process and event loop, closed only at shutdown."""

    def __init__(
        self, *, connections_max: int, idle_seconds_max: float, ssl_context: ssl.SSLContext
    ) -> None:
        self._connections_max = connections_max
        self._idle_seconds_max = idle_seconds_max
        self._ssl_context = ssl_context
        self._pools: dict[tuple[bytes, bytes], Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        phases: Phases = request.extensions.get("timeout", {})
        head = request_head(request)
        body = await _body_of(request)
        pool = self._pool_of(request.url)
        connection = await pool.acquire(phases)
        if (is_being_sent := request.extensions.get(SENDING)) is not None:
            is_being_sent()
        try:
            is_head = request.method == "HEAD"
            await connection.exchange(head, body, is_head=is_head, phases=phases)
        except BaseException:
            connection.abort()
            raise
        response = connection.response
        return httpx.Response(
            response.status,
            headers=RawHeaders(response.headers),
            stream=ReplyStream(connection, pool, phases),
        )

    async def aclose(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool_of(self, url: httpx.URL) -> Pool:
        origin = (url.raw_scheme, url.netloc)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(
                url,
                connections_max=self._connections_max,
                idle_seconds_max=self._idle_seconds_max,
                ssl_context=self._ssl_context,
            )
        return pool


def request_head(request: httpx.Request) -> bytes:
    """The request line and headers as given: host and framing are the caller's business."""
    fields = request.headers.raw
    lines = [b"%b: %b\r\n" % field for field in fields]
    start = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
    head = b"".join([start, *lines, b"\r\n"])
    line_count = len(fields) + 2
    if not head.count(b"\n") == head.count(b"\r") == line_count or b"\0" in head:
        raise httpx.LocalProtocolError("a control character in the request's head")
    return head


async def _body_of(request: httpx.Request) -> bytes:
    if isinstance(request.stream, httpx.ByteStream):
        return b"".join(request.stream)
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise httpx.LocalProtocolError("the body is not an asynchronous stream")
    return b"".join([part async for part in request.stream])
