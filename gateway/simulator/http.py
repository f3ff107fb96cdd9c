"""Reads HTTP/1.1 requests from a stream and writes the heads of answers, down to the bytes.

By hand, because the faults need the raw connection; it serves well-behaved clients only.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 256 * 1024 * 1024

Headers = list[tuple[str, str]]


class RequestMalformed(ValueError):
    """The bytes are no HTTP/1.1 request that the simulator reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request exactly as it arrived: header names keep their case, order and repetitions."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        return header_of(self.headers, name)


def header_of(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


async def read_request(
    reader: asyncio.StreamReader, write: Callable[[bytes], None]
) -> Received | None:
    """Return the next request, or None when the client has closed the connection between two.

    `write` is for the client that waits to be told to send its body.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise RequestMalformed("the request's head breaks off") from None
        return None
    except asyncio.LimitOverrunError:
        raise RequestMalformed("the request's head is too large") from None
    method, target, headers = _parse_head(head)
    if header_of(headers, "expect").lower() == "100-continue":
        write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers)
    return Received(method=method, target=target, headers=headers, body=body)


def head_bytes(status: int, headers: Headers) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _parse_head(head: bytes) -> tuple[str, str, Headers]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 - the request line
        raise RequestMalformed(f"no request line: {first[:80]!r}")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise RequestMalformed(f"no header line: {line[:80]!r}")
        headers.append((name, value.strip()))
    return parts[0], parts[1], headers


async def _read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    try:
        if "chunked" in header_of(headers, "transfer-encoding").lower():
            return await _read_chunks(reader)
        return await reader.readexactly(_length(header_of(headers, "content-length") or "0"))
    except asyncio.IncompleteReadError:
        raise RequestMalformed("the request's body breaks off") from None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = _length(line.partition(b";")[0].strip().decode("latin-1"), digits=16)
        body += await reader.readexactly(size)
        _length(str(len(body)))
        await reader.readuntil(b"\r\n")
        if size == 0:
            return bytes(body)


def _length(text: str, digits: int = 10) -> int:
    try:
        length = int(text, digits)
    except ValueError:
        raise RequestMalformed(f"no length: {text[:80]!r}") from None
    if not 0 <= length <= BODY_BYTES_MAX:
        raise RequestMalformed("the request's body is too large")
    return length


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
