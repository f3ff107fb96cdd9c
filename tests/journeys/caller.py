"""A client by hand: sends one request, reads as far as told, leaves as told, sees how it ended.

It hides nothing that a library would: a body that ends without its last chunk is `cut`.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

Leaving = Literal["fin", "rst"]
Ending = Literal["", "whole", "cut", "reset"]

RESPONSES = "/v1/responses"
READ_BYTES_MAX = 1 << 20
READ_SECONDS_MAX = 60  # no answer of a test takes longer: it hangs
RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close becomes a reset


class Caller:
    """One connection with one request. `ending` is empty until the answer has ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        self.body = bytearray()
        self.body_bytes = 0
        self.ending: Ending = ""
        self.take: Callable[[bytes], object] = self.body.extend  # or a hash, for what is too large
        self._left_bytes: int | None = None  # of the chunk, or of the body with a length

    @classmethod
    async def connect(cls, port: int, **options: Any) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, **options))

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def has_ended(self) -> bool:
        return self.ending != ""

    def ask(self, key: str, asked: dict[str, Any], *more: str, path: str = RESPONSES) -> None:
        """Write a POST; `more` are header lines."""
        content = json.dumps(asked).encode()
        self.writer.write(request_head(key, len(content), *more, path=path) + content)

    async def read(self, body_bytes: int | None = None) -> None:
        """Read the head and at least so many bytes of the body; to its end when not told."""
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                while not self.head or self.head.startswith(b"HTTP/1.1 1"):
                    self.head = await self.reader.readuntil(b"\r\n\r\n")
                while not self.ending and (body_bytes is None or self.body_bytes < body_bytes):
                    await self._read_some()
        except asyncio.IncompleteReadError:
            self.ending = "cut"
        except ConnectionResetError:
            self.ending = "reset"

    def leave(self, how: Leaving) -> None:
        """Hang up, whatever is still to come."""
        if how == "rst":
            sock: socket.socket = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self.writer.transport.abort()

    async def _read_some(self) -> None:
        if self._length is not None:
            await self._read_counted(self._length)
        else:
            await self._read_chunked()

    async def _read_counted(self, length: int) -> None:
        data = await self.reader.read(READ_BYTES_MAX) if length else b""
        self._took(data)
        if self.body_bytes >= length:
            self.ending = "whole"
        elif not data:
            self.ending = "cut"

    async def _read_chunked(self) -> None:
        if not self._left_bytes:
            self._left_bytes = int(await self.reader.readuntil(b"\r\n"), 16)
            if not self._left_bytes:
                await self.reader.readexactly(2)
                self.ending = "whole"
                return
        data = await self.reader.read(min(self._left_bytes, READ_BYTES_MAX))
        if not data:
            self.ending = "cut"
            return
        self._took(data)
        self._left_bytes -= len(data)
        if not self._left_bytes:
            await self.reader.readexactly(2)

    def _took(self, data: bytes) -> None:
        self.body_bytes += len(data)
        self.take(data)

    @property
    def _length(self) -> int | None:
        for line in self.head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(line.partition(b":")[2])
        return None


def request_head(key: str, length: int, *more: str, path: str = RESPONSES) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "host: gateway",
        f"authorization: Bearer {key}",
        "content-type: application/json",
        f"content-length: {length}",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode()


@asynccontextmanager
async def calling(
    port: int,
    key: str,
    asked: dict[str, Any],
    *more: str,
    path: str = RESPONSES,
    **options: Any,
) -> AsyncIterator[Caller]:
    """A caller that has sent its request; what is left of it at the end is cut off."""
    caller = await Caller.connect(port, **options)
    try:
        caller.ask(key, asked, *more, path=path)
        yield caller
    finally:
        caller.writer.transport.abort()


async def whole_answer(
    port: int, key: str, asked: dict[str, Any], *more: str, path: str = RESPONSES
) -> Caller:
    """Ask and read until the answer ends, however it does."""
    async with calling(port, key, asked, *more, path=path) as caller:
        await caller.read()
    return caller
