"""The connections to one origin: who gets which, how many there are, how long one may be idle.

The stock transport looks at every connection of its pool at every request and collapses under
many streams; this one takes the connection that was used last, in constant time. Not here: what a
connection does (`connection`), or requests (`transport`).
"""

import asyncio
import ssl
from collections import deque

import httpx

from gateway.adapters.connection import READ_BYTES_MAX, Connection, Phases

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
