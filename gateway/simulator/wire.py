"""Sends one answer over a raw connection, with the pace, pieces and breaks that were asked for."""

import asyncio
import fcntl
import socket
import struct
import termios
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.simulator.faults import NO_FAULTS, Cutter, Faults, Position
from gateway.simulator.framing import Segment
from gateway.simulator.http import Headers, head_bytes

EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
CLOSE_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close becomes a reset
ACKNOWLEDGE_POLLS_MAX = 1000
TRAILER = "x-simulated-digest"
LAST_CHUNK = b"0\r\n\r\n"
LAST_CHUNK_WITH_TRAILER = b"0\r\n%b: done\r\n\r\n" % TRAILER.encode()


class Severed(Exception):
    """The connection was ended on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back. `length` is the body's length where it is announced, else None."""

    status: int
    headers: Headers
    segments: Iterable[Segment]
    length: int | None = None
    faults: Faults = NO_FAULTS
    served_index: int | None = None  # the oracle's record of it

    @property
    def is_close_delimited(self) -> bool:
        return self.length is None and self.faults.is_close_delimited

    @property
    def is_chunked(self) -> bool:
        return self.length is None and not self.faults.is_close_delimited


@dataclass(slots=True)
class Sender:
    """Sends one Answer; `body_bytes` and `is_complete` tell how far it came, even if severed."""

    writer: asyncio.StreamWriter
    answer: Answer
    body_bytes: int = 0  # handed to the socket
    is_complete: bool = False  # the terminal event's last byte was handed to the socket
    _fed_bytes: int = 0
    _terminal_end: int | None = None
    _stops: dict[str, int] = field(default_factory=dict)

    async def send(self) -> None:
        faults = self.answer.faults
        await asyncio.sleep(faults.head_delay_seconds)
        self._place_stops(0, is_terminal=False)
        if faults.has_early_hints:
            self.writer.write(EARLY_HINTS)
        await self._send_head(head_bytes(self.answer.status, self._headers()))
        await self._act_here()
        await self._send_body(Cutter(faults.split))
        if self.answer.is_chunked:
            self.writer.write(LAST_CHUNK_WITH_TRAILER if faults.has_trailers else LAST_CHUNK)
        await self.writer.drain()
        if self.answer.is_close_delimited:
            raise Severed

    async def _send_head(self, head: bytes) -> None:
        faults = self.answer.faults
        if faults.hang_up == "unanswered":
            raise Severed
        if faults.hang_up == "head":
            head = head[: len(head) // 2]
        for line in head.splitlines(keepends=True) if faults.head_line_delay_seconds else [head]:
            self.writer.write(line)
            await self.writer.drain()
            await asyncio.sleep(faults.head_line_delay_seconds)
        if faults.hang_up:
            raise Severed

    async def _send_body(self, cutter: Cutter) -> None:
        delay = self.answer.faults.event_delay_seconds
        for segment in self.answer.segments:
            if delay and segment.is_first:
                await asyncio.sleep(delay)
            if segment.due_at is not None:
                await asyncio.sleep(segment.due_at - time.time())
            if segment.is_terminal and segment.is_first:
                self._place_stops(self._fed_bytes, is_terminal=True)
                await self._act_here()
            self._fed_bytes += len(segment.data)
            if segment.is_terminal and segment.is_last:
                self._terminal_end = self._fed_bytes
            for piece in cutter.feed(segment.data):
                await self._write(piece)
        for piece in cutter.flush():
            await self._write(piece)

    def _headers(self) -> Headers:
        headers = self.answer.headers
        if self.answer.is_close_delimited:
            return [*headers, ("connection", "close")]
        if self.answer.length is None:
            trailer = [("trailer", TRAILER)] if self.answer.faults.has_trailers else []
            coding = ("transfer-encoding", "chunked")
            return [*headers, *trailer, ("connection", "keep-alive"), coding]
        length = str(self.answer.length)
        return [*headers, ("connection", "keep-alive"), ("content-length", length)]

    def _place_stops(self, start: int, *, is_terminal: bool) -> None:
        faults = self.answer.faults
        named: dict[str, Position | None] = {
            "cut": faults.cut,
            "reset": faults.reset,
            "stall": faults.stall,
        }
        for name, position in named.items():
            if position is not None and position.is_from_terminal == is_terminal:
                self._stops[name] = start + position.offset

    async def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            ahead = [at - self.body_bytes for at in self._stops.values() if at > self.body_bytes]
            room = min(len(rest), *ahead) if ahead else len(rest)
            await self._put(bytes(rest[:room]))
            rest = rest[room:]
            await self._act_here()

    async def _put(self, data: bytes) -> None:
        if self.writer.transport.is_closing():
            raise Severed  # by the client; what a write would say depends on the loop
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if self.answer.is_chunked else data
        self.writer.write(chunk)
        await self.writer.drain()
        self.body_bytes += len(data)
        if self._terminal_end is not None and self.body_bytes >= self._terminal_end:
            self.is_complete = True
        if self.answer.faults.split:
            await asyncio.sleep(0)  # drain alone does not let the reader run between two pieces

    async def _act_here(self) -> None:
        here = [name for name, at in self._stops.items() if at == self.body_bytes]
        for name in here:
            del self._stops[name]
        if "stall" in here:
            await asyncio.sleep(self.answer.faults.stall_seconds)
        if "reset" in here:
            await reset(self.writer)
        if "cut" in here or "reset" in here:
            raise Severed


async def reset(writer: asyncio.StreamWriter) -> None:
    """Send RST, but only after the peer's kernel has everything that was written before."""
    sock: socket.socket = writer.get_extra_info("socket")
    for _ in range(ACKNOWLEDGE_POLLS_MAX):
        if _unacknowledged_bytes(sock) == 0:
            break
        await asyncio.sleep(0.001)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_AT_ONCE)
    writer.transport.abort()


def _unacknowledged_bytes(sock: socket.socket) -> int:
    waiting = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", waiting)[0])
