"""An HTTP client that hides nothing: chunks as they were sent, and how the connection ended."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(slots=True)
class RawReply:
    head: bytes = b""
    interim: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    ending: str = ""  # final_chunk, length, eof or reset

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").strip().split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines]
        return [(name, value.strip()) for name, _, value in pairs]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")


async def call(
    base_url: str, method: str, path: str, body: object = None, **headers: str
) -> RawReply:
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    fields = {"host": "simulator", "content-length": str(len(content)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return await speak(base_url, "\r\n".join([*lines, "", ""]).encode() + content)


async def respond(base_url: str, directive: str, **body: object) -> RawReply:
    """Ask for a stream that is played as the directive says; `stream=False` for a whole body."""
    asked = {"model": "gpt-5.6", "input": f"[sim: {directive}]", "stream": True, **body}
    return await call(base_url, "POST", "/v1/responses", asked)


async def speak(base_url: str, request: bytes) -> RawReply:
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    reply = RawReply()
    try:
        writer.write(request)
        await _read(reader, reply)
    except asyncio.IncompleteReadError as error:
        reply.pieces.append(error.partial)
        reply.ending = "eof"
    except ConnectionResetError:
        reply.ending = "reset"
    finally:
        writer.close()
    return reply


async def _read(reader: asyncio.StreamReader, reply: RawReply) -> None:
    reply.head = await reader.readuntil(b"\r\n\r\n")
    while reply.head.startswith(b"HTTP/1.1 1"):
        reply.interim += reply.head
        reply.head = await reader.readuntil(b"\r\n\r\n")
    if reply.header("transfer-encoding") == "chunked":
        await _read_chunks(reader, reply)
    elif length := reply.header("content-length"):
        reply.pieces.append(await reader.readexactly(int(length)))
        reply.ending = "length"
    else:
        reply.pieces.append(await reader.read(-1))
        reply.ending = "eof"


async def _read_chunks(reader: asyncio.StreamReader, reply: RawReply) -> None:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        reply.pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    reply.ending = "final_chunk"
