"""A server that speaks in raw bytes: every connection plays a script of steps.

It knows no HTTP beyond finding the end of a request, so it can be as wrong as a test needs.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
SEND_BUFFER_BYTES = 64 * 1024


class Peer:
    """One connection as the script sees it."""

    def __init__(
        self, server: "RawServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer


Step = Callable[[Peer], Awaitable[None]]
Script = Sequence[Step]


class RawServer:
    """Plays `script` on every connection, or what a function of the connection's number gives.

    `requests` holds every request read, whole. `sent_bytes` counts what the peer's side and the
    socket's buffers have taken.
    """

    def __init__(
        self,
        script: Script | Callable[[int], Script],
        *,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._script = script
        self._ssl_context = ssl_context
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[bytes] = []
        self.connections = 0
        self.sent_bytes = 0
        self.changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._ssl_context, limit=2**20
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/v1"

    async def until(self, is_so: Callable[["RawServer"], bool]) -> None:
        """Wait until a statement about this server becomes true."""
        async with self.changed:
            await self.changed.wait_for(lambda: is_so(self))

    async def notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = self.connections
        self.connections += 1
        await self.notify()
        script = self._script(number) if callable(self._script) else self._script
        try:
            for step in script:
                await step(Peer(self, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side left, or the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)


async def read_request(peer: Peer) -> None:
    """Read one request with its body."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    body = await peer.reader.readexactly(int(length[1])) if length else b""
    peer.server.requests.append(head + body)
    await peer.server.notify()


def read_bytes(count: int) -> Step:
    async def step(peer: Peer) -> None:
        await peer.reader.readexactly(count)

    return step


def send(data: bytes) -> Step:
    async def step(peer: Peer) -> None:
        peer.writer.write(data)
        await peer.writer.drain()

    return step


def send_apart(data: bytes, size: int = 1) -> Step:
    """Send in pieces of `size`, each as a segment of its own as far as loopback allows."""

    async def step(peer: Peer) -> None:
        for start in range(0, len(data), size):
            peer.writer.write(data[start : start + size])
            await peer.writer.drain()
            await asyncio.sleep(0)

    return step


def flood(total_bytes: int) -> Step:
    """Send `total_bytes` as fast as they are taken, through a small socket buffer."""

    async def step(peer: Peer) -> None:
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        piece = b"x" * 65536
        while peer.server.sent_bytes < total_bytes:
            peer.writer.write(piece)
            await peer.writer.drain()
            peer.server.sent_bytes += len(piece)
            await peer.server.notify()

    return step


def wait_for(event: asyncio.Event) -> Step:
    async def step(peer: Peer) -> None:
        await event.wait()

    return step


def pause(seconds: float) -> Step:
    async def step(peer: Peer) -> None:
        await asyncio.sleep(seconds)

    return step


async def hang(peer: Peer) -> None:
    """Say nothing, until the other side closes."""
    await peer.reader.read()


async def ignore(peer: Peer) -> None:
    """Say nothing, read nothing, until the test is over."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typeshed: WriteTransport
    await asyncio.Event().wait()


async def reset(peer: Peer) -> None:
    """Close with a RST: a linger of zero seconds throws away what was not sent."""
    sock = peer.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.writer.transport.abort()


async def half_close(peer: Peer) -> None:
    peer.writer.write_eof()


async def close(peer: Peer) -> None:
    peer.writer.close()
    await peer.writer.wait_closed()


def forever(*steps: Step) -> Step:
    """Repeat until the other side leaves."""

    async def step(peer: Peer) -> None:
        while True:
            for each in steps:
                await each(peer)

    return step
