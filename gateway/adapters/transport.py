"""Our own transport: HTTP/1.1 over asyncio, which stands behind httpx's transport interface, too.

Belongs here: the way of a request through a pool, for the upstream's door and for httpx. Not here:
who gets which connection (`pool`), the socket (`connection`), retries, headers and our errors
(`upstream`). It knows no proxies.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx

from gateway.adapters.connection import Connection, Phases, Take
from gateway.adapters.pool import Pool


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, worked out once for all that go there."""

    url: httpx.URL
    origin: tuple[bytes, bytes]
    path: bytes  # with its query, as it is written

    @classmethod
    def of(cls, url: httpx.URL) -> Self:
        return cls(url=url, origin=(url.raw_scheme, url.netloc), path=url.raw_path)


class Reply(httpx.AsyncByteStream):
    """A response whose body is still to come; `aclose` must be called: it frees the connection."""

    def __init__(self, connection: Connection, pool: Pool, seconds: float | None) -> None:
        self.status = connection.response.status
        self.headers = connection.response.headers
        self._connection = connection
        self._pool = pool
        self._seconds = seconds  # how long the body may be silent
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self  # a generator would cost more than what it yields

    async def __anext__(self) -> bytes:
        self._check_open()
        chunk = await self._connection.next_chunk(self._seconds)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def pour(self, take: Take) -> bool:
        """As `Connection.pour`."""
        self._check_open()
        return await self._connection.pour(take, self._seconds)

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._pool.release(self._connection)

    def _check_open(self) -> None:
        if self._is_closed:  # the connection may already serve someone else
            raise httpx.ReadError("the reply was closed")


class FastTransport(httpx.AsyncBaseTransport):
    """One per process and event loop, closed only at shutdown."""

    def __init__(
        self, *, connections_max: int, idle_seconds_max: float, ssl_context: ssl.SSLContext
    ) -> None:
        self._connections_max = connections_max
        self._idle_seconds_max = idle_seconds_max
        self._ssl_context = ssl_context
        self._pools: dict[tuple[bytes, bytes], Pool] = {}

    async def send(  # noqa: PLR0913 - what a request is
        self,
        method: str,
        target: Target,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        phases: Phases,
        idle_seconds: float | None,
        sending: Callable[[], None] | None,
    ) -> Reply:
        """Send a request; returns with the head of the response. Raises httpx.HTTPError.

        `sending` is called when the first byte is about to leave. httpx's objects would cost more
        than all that is done here.
        """
        head = request_head(method, target.path, headers)
        pool = self._pools.get(target.origin) or self._pool_of(target)
        connection = await pool.acquire(phases)
        if sending is not None:
            sending()
        try:
            await connection.exchange(head, body, is_head=method == "HEAD", phases=phases)
        except BaseException:
            connection.abort()
            raise
        return Reply(connection, pool, idle_seconds)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        phases: Phases = request.extensions.get("timeout", {})
        reply = await self.send(
            request.method,
            Target.of(request.url),
            request.headers.raw,
            await _body_of(request),
            phases=phases,
            idle_seconds=phases.get("read"),
            sending=None,
        )
        return httpx.Response(reply.status, headers=reply.headers, stream=reply)

    async def aclose(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool_of(self, target: Target) -> Pool:
        pool = self._pools[target.origin] = Pool(
            target.url,
            connections_max=self._connections_max,
            idle_seconds_max=self._idle_seconds_max,
            ssl_context=self._ssl_context,
        )
        return pool


def request_head(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The request line and headers as given: host and framing are the caller's business."""
    lines = [b"%b: %b\r\n" % field for field in headers]
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode("ascii"), target, b"".join(lines))
    line_count = len(headers) + 2
    if not head.count(b"\n") == head.count(b"\r") == line_count or b"\0" in head:
        raise httpx.LocalProtocolError("a control character in the request's head")
    return head


async def _body_of(request: httpx.Request) -> bytes:
    if isinstance(request.stream, httpx.ByteStream):
        return b"".join(request.stream)
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise httpx.LocalProtocolError("the body is not an asynchronous stream")
    return b"".join([part async for part in request.stream])
