"""The simulator as a server on loopback: connections, the control paths, start and stop.

Control, outside the API's own paths: `GET /__sim/served` (JSON lines), `GET /__sim/stats`,
`POST /__sim/reset`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.simulator.answers import STREAM_TYPE, ApiError, error_answer, json_answer
from gateway.simulator.api import Api
from gateway.simulator.framing import body_segments
from gateway.simulator.http import HEAD_BYTES_MAX, Received, RequestMalformed, read_request
from gateway.simulator.oracle import Oracle, Served
from gateway.simulator.replay import Recording, Replays
from gateway.simulator.wire import Answer, Sender, Severed

REQUESTS_KEPT_MAX = 1000
CONTROL = "/__sim/"
BACKLOG = 1024


class Simulator:
    """A scripted upstream. Use it as `async with Simulator() as sim`, or `start` and `stop`."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        log_path: Path | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._oracle = Oracle(log_path)
        self._replays = Replays()
        self._api = Api(oracle=self._oracle, replays=self._replays, api_key=api_key)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._request_count = 0
        self._open_count = 0
        self.requests: deque[Received] = deque(maxlen=REQUESTS_KEPT_MAX)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def served(self) -> list[Served]:
        return self._oracle.served

    @property
    def open_count(self) -> int:
        """Answers that are being sent right now."""
        return self._open_count

    def replay(  # noqa: PLR0913 - a recording's fields, all by name
        self,
        body: bytes,
        *,
        content_type: str = STREAM_TYPE,
        status: int = 200,
        pieces: Sequence[int] | None = None,
        name: str | None = None,
        method: str = "POST",
        path: str = "/v1/responses",
        headers: Sequence[tuple[str, str]] = (),
        is_counted: bool = False,
    ) -> None:
        """Answer the next request that fits with exactly these bytes, each piece its own write.

        With a name it waits for the directive `replay=NAME` instead, and can be played often.
        Recordings are not counted among the served.
        """
        recording = Recording(
            body=body,
            content_type=content_type,
            status=status,
            pieces=tuple(pieces or ()),
            method=method,
            path=path,
            headers=tuple(headers),
            is_counted=is_counted,
        )
        self._replays.add(recording, name)

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, self._host, self._port, limit=HEAD_BYTES_MAX, backlog=BACKLOG
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None, "the simulator was not started"
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._oracle.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection runs in its own task"
        self._connections.add(task)
        # With no buffer of our own, "drained" means that the kernel has the bytes.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, Severed, asyncio.CancelledError):
            pass  # gone, by the client's, the directive's or the owner's wish
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                received = await read_request(reader, writer.write)
            except RequestMalformed as error:
                await self._send(writer, error_answer(ApiError(400, str(error))))
                return
            if received is None:
                return
            await self._send(writer, self._answer(received))
            if received.header("connection").lower() == "close":
                return

    def _answer(self, received: Received) -> Answer:
        if received.path.startswith(CONTROL):
            return self._control(received)
        self.requests.append(received)
        self._request_count += 1
        return self._api.answer(received, self._request_count - 1)

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        sender = Sender(writer=writer, answer=answer)
        self._open_count += 1
        try:
            await sender.send()
        finally:
            self._open_count -= 1
            if answer.served_index is not None:
                self._oracle.finished(
                    answer.served_index,
                    is_complete=sender.is_complete,
                    body_bytes=sender.body_bytes,
                )

    def _control(self, received: Received) -> Answer:
        action = received.method, received.path.removeprefix(CONTROL)
        if action == ("GET", "served"):
            lines = self._oracle.json_lines()
            headers = [("content-type", "application/x-ndjson")]
            return Answer(
                status=200, headers=headers, segments=body_segments(lines), length=len(lines)
            )
        if action == ("GET", "stats"):
            return json_answer(self._stats())
        if action == ("POST", "reset"):
            self._oracle.reset()
            self.requests.clear()
            return json_answer(self._stats())
        return error_answer(ApiError(404, f"There is nothing at {received.path}"))

    def _stats(self) -> dict[str, int]:
        served = self._oracle.served
        return {
            "requests": self._request_count,
            "served": len(served),
            "complete": sum(record.is_complete for record in served),
            "open": self._open_count,
            "connections": len(self._connections),
        }
