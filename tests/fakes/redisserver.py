"""A Redis that knows what limits per minute ask of it: counters that end, and one script.

Not here: anything else of Redis; a script is taken for "add to a counter, and let a new one end".
"""

import asyncio
import hashlib
import time
from types import TracebackType
from typing import Self


class RedisServer:
    """Counters in memory, over RESP 2. While `is_silent` it reads and answers nothing."""

    def __init__(self) -> None:
        self.counters: dict[bytes, tuple[int, float]] = {}  # with when they end
        self.is_silent = False
        self.commands: list[bytes] = []
        self._scripts: set[bytes] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while command := await _command(reader):
                self.commands.append(command[0].upper())
                if not self.is_silent:
                    writer.write(self._answer(command))
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, command: list[bytes]) -> bytes:
        match [command[0].upper(), *command[1:]]:
            case [b"SCRIPT", _, script]:
                digest = hashlib.sha1(script).hexdigest().encode()
                self._scripts.add(digest)
                return b"$%d\r\n%s\r\n" % (len(digest), digest)
            case [b"EVALSHA", digest, *_] if digest not in self._scripts:
                return b"-NOSCRIPT No matching script.\r\n"
            case [b"EVALSHA", _, b"1", key, seconds, amount]:
                return b":%d\r\n" % self._add(key, int(seconds), int(amount))
            case [b"GET", key]:
                text = b"%d" % self._counter(key)[0]
                return b"$%d\r\n%s\r\n" % (len(text), text)
            case [b"TTL", key]:
                return b":%d\r\n" % round(self._counter(key)[1] - time.time())
            case _:
                return b"+OK\r\n"

    def _counter(self, key: bytes) -> tuple[int, float]:
        return self.counters.get(key, (0, time.time()))

    def _add(self, key: bytes, seconds: int, amount: int) -> int:
        count, end = self.counters.get(key, (0, time.time() + seconds))
        self.counters[key] = count + amount, end
        return count + amount


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    """The parts of the next command; none at the end."""
    head = await reader.readline()
    parts = []
    for _ in range(int(head[1:] or 0)):
        length = int((await reader.readline())[1:])
        parts.append((await reader.readexactly(length + 2))[:-2])
    return parts
