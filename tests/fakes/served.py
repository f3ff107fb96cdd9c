"""A small application behind the gateway's protocol on a real socket, and a client in raw bytes.

For tests of what a connection does; whole requests through the gateway are the journeys' business.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.app.connection import CONNECTION, Connection
from gateway.app.protocol import IngressLimits, protocol_with

# Transports differ: the gateway runs on uvloop where there is one.
BOTH_LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]
SOON_SECONDS = 0.2  # a limit that a test waits for
TEST_SECONDS_MAX = 20.0
GET = b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"
STREAM = b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n"
STREAMED = b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


class App:
    """A small application whose paths are behaviours. `heard` is what happened to its requests."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.told = asyncio.Condition()
        self.go_on = asyncio.Event()
        self.connections: list[Connection] = []
        self.sent_bytes = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.connections.append(scope["state"][CONNECTION])
        await getattr(self, scope["path"].strip("/"))(scope, receive, send)

    async def say(self, what: str) -> None:
        async with self.told:
            self.heard.append(what)
            self.told.notify_all()

    async def until(self, what: str) -> None:
        async with self.told:
            await self.told.wait_for(lambda: what in self.heard)

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        body = await whole_body(receive)
        if body is None:
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        said = {"method": scope["method"], "body": body.decode(), "headers": headers}
        await answer(send, 200, json.dumps({**said, "version": scope["http_version"]}).encode())
        await self.say("echo")

    async def livez(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 200, b"ok")

    readyz = livez

    async def upgrade(self, scope: Any, receive: Any, send: Any) -> None:
        is_offered = (b"upgrade", b"websocket") in scope["headers"]
        await answer(send, 426 if is_offered else 200, b"no")

    async def early(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, 401, b"who")
        await self.say("early")

    async def late(self, scope: Any, receive: Any, send: Any) -> None:
        await self.say("late")
        await self.go_on.wait()
        await answer(send, 200, b"%d" % len(await whole_body(receive) or b""))

    async def stream(self, scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.say("first")
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"second", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await self.say("gone" if self.connections[-1].is_gone else "streamed")

    async def wait(self, scope: Any, receive: Any, send: Any) -> None:
        await self.say("waiting")
        while (message := await receive())["type"] != "http.disconnect":
            await self.say(f"got {len(message['body'])}")
        await self.say("disconnect")

    async def talk(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.wait(scope, receive, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def flood(self, scope: Any, receive: Any, send: Any) -> None:
        connection = self.connections[-1]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not connection.is_gone:
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            self.sent_bytes += 65_536
        await self.say("gone")

    async def begun(self, scope: Any, receive: Any, send: Any) -> None:
        length = scope["query_string"]
        headers = [(b"content-length", length)] if length else []
        if not self.connections[-1].begin(200, [*headers, (b"x-a", b"1")], b"first"):
            await self.say("not at once")
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await send({"type": "http.response.body", "body": b"second", "more_body": False})

    async def pieces(self, scope: Any, receive: Any, send: Any) -> None:
        connection = self.connections[-1]
        length = scope["query_string"]
        headers = [(b"content-length", length)] if length else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (b"first", b"second"):
            if not connection.write(piece):
                await self.say("not at once")
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def gush(self, scope: Any, receive: Any, send: Any) -> None:
        connection = self.connections[-1]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while connection.write(b"x" * 65_536):
            self.sent_bytes += 65_536
        await self.say("not at once")

    async def abort(self, scope: Any, receive: Any, send: Any) -> None:
        connection = self.connections[-1]
        piece = {"type": "http.response.body", "body": b"x" * 16_384, "more_body": True}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(piece)
        # Until some of it waits in the transport, where an end could still join it.
        while not connection._cycle.transport.get_write_buffer_size():
            await send(piece)
        connection.abort()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await self.say("gone" if connection.is_gone else "here")


async def whole_body(receive: Any) -> bytes | None:
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)
    return None


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Client:
    """A connection in raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *segments: bytes) -> Self:
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            await asyncio.sleep(0)
        return self

    async def send_until_cut(self, segment: bytes) -> None:
        while True:
            await self.send(segment)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def reply(self) -> tuple[int, bytes]:
        """One answer that has a length."""
        status, length = parsed(head := await self.head())
        assert length is not None, head
        return status, await self.reader.readexactly(length)

    async def echoed(self) -> Any:
        status, body = await self.reply()
        assert status == 200
        return json.loads(body)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await self.reader.read()


def parsed(head: bytes) -> tuple[int, int | None]:
    lines = head.split(b"\r\n")
    lengths = [line[16:] for line in lines if line.startswith(b"content-length: ")]
    return int(lines[0].split()[1]), int(lengths[0]) if lengths else None


class Server:
    """Connections served by our protocol, in this process."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.port = port
        self._clients: list[Client] = []

    async def connect(self, *segments: bytes) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(reader, writer)
        self._clients.append(client)
        return await client.send(*segments)

    def end_clients(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()


@asynccontextmanager
async def serving(*, keep_alive_seconds: Any = 60, **limits: Any) -> AsyncIterator[Server]:
    app, state = App(), ServerState()
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=keep_alive_seconds,
    )
    config.load()
    kind = protocol_with(IngressLimits(**limits))
    listener = await asyncio.get_running_loop().create_server(
        lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    server = Server(app, listener.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(TEST_SECONDS_MAX):
            yield server
            server.end_clients()
            app.go_on.set()
            while state.tasks or state.connections:
                await asyncio.sleep(0)
    finally:
        app.go_on.set()
        server.end_clients()
        listener.close()


def refusal(sent: bytes) -> tuple[int, str]:
    """Status and code of what must be one whole error answer, and nothing more."""
    head, _, body = sent.partition(b"\r\n\r\n")
    status, length = parsed(head)
    assert length == len(body)
    assert b"connection: close" in head
    return status, json.loads(body)["error"]["code"]
