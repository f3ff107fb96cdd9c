"""Bytes from the upstream to the client, unchanged, while the life of their exchange is told.

The relay owns its loop, so it settles deterministically: a client that hangs up does not end it
(the server's `send` becomes a silent no-op and the upstream's answer is read to its end), and a
cancelled one settles before it goes. Not here: any decision; those are `core.life`'s.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import Upstream, UpstreamReply
from gateway.app.errors import REQUEST_ID
from gateway.app.protocol import Connection
from gateway.core import headers as wire
from gateway.core.errors import UpstreamUnavailable
from gateway.core.exchange import Exchange, Hold
from gateway.core.life import Life
from gateway.core.prices import PriceBook

Send = Callable[[Any], Awaitable[None]]
Sink = Callable[[Exchange], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainLimits:
    """How long and how many upstream answers are read on for clients that have left."""

    seconds_max: float = 900.0
    drains_max: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A request that may be sent: its hold is durable."""

    hold: Hold
    body: bytes
    headers: wire.Headers
    path: str
    started: float  # of the monotonic clock


class GivenUp(Exception):
    """The client left, and its answer is not read on: `args[0]` says which limit spoke."""


class Relay:
    """Carries dispatched requests to their settlement; `aclose` waits for the last of them."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        ledger: Ledger,
        book: PriceBook,
        metrics: Metrics,
        sinks: tuple[Sink, ...],
        drain: DrainLimits,
    ) -> None:
        self._upstream = upstream
        self._ledger = ledger
        self._book = book
        self._metrics = metrics
        self._sinks = sinks
        self._drain = drain
        self._drains = 0
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def carry(self, dispatch: Dispatch, send: Send, connection: Connection) -> int:
        """Send the request and relay its answer; returns the answer's HTTP status.

        Whatever happens, exactly one exchange is settled. Raises UpstreamUnavailable when the
        upstream gave no answer to relay.
        """
        life = Life(hold=dispatch.hold, book=self._book, started=dispatch.started)
        kind = "stream" if dispatch.hold.is_stream else "whole"
        self._opened(kind)
        try:
            return await self._exchange(life, dispatch, send, connection)
        except BaseException:
            await self._finish(life, send, reason="gateway_stopped")
            raise
        finally:
            self._closed(kind)

    async def aclose(self) -> None:
        """Wait until every exchange under way has settled."""
        await self._idle.wait()

    async def _exchange(
        self, life: Life, dispatch: Dispatch, send: Send, connection: Connection
    ) -> int:
        try:
            reply = await self._upstream.send(
                method="POST", path=dispatch.path, headers=dispatch.headers, body=dispatch.body
            )
        except UpstreamUnavailable as broken:
            self._attempted(broken.code, is_healthy=False)
            life.ended(broken=broken)
            await self._finish(life, send)
            raise
        self._attempted("answered", is_healthy=True)
        try:
            await self._relay(life, dispatch, reply, send, connection)
            return reply.status
        finally:
            await reply.aclose()

    async def _relay(
        self,
        life: Life,
        dispatch: Dispatch,
        reply: UpstreamReply,
        send: Send,
        connection: Connection,
    ) -> None:
        headers = [(name.lower(), value) for name, value in reply.headers]
        life.answered(status=reply.status, headers=headers, now=time.monotonic())
        await send(_start(reply.status, headers, dispatch.hold.request_id))
        try:
            await self._body(life, reply, send, connection)
        except UpstreamUnavailable as broken:
            life.ended(broken=broken)
        except GivenUp as given_up:
            life.ended(reason=str(given_up))
        else:
            life.ended()
            await self._finish(life, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await self._finish(life, send)
        connection.abort()

    async def _body(
        self, life: Life, reply: UpstreamReply, send: Send, connection: Connection
    ) -> None:
        drain_until = None
        try:
            async for chunk in reply.chunks():
                if connection.is_gone and drain_until is None:
                    drain_until = self._start_drain(life)
                elif drain_until is not None and time.monotonic() > drain_until:
                    raise GivenUp("drain_seconds_max")
                ready = life.chunk(chunk, time.monotonic())
                if (response_id := life.opened()) is not None:
                    self._ledger.opened(life.hold.request_id, response_id)
                if ready:
                    await send({"type": "http.response.body", "body": ready, "more_body": True})
                if life.is_due:
                    await self._finish(life, send)
        finally:
            if drain_until is not None:
                self._end_drain()

    async def _finish(self, life: Life, send: Send, *, reason: str | None = None) -> None:
        """Settle what is due, and only then let go of the bytes that waited for it."""
        if reason is not None:
            life.ended(reason=reason)
        if not life.is_due:
            return
        exchange = life.settle(settled_at_us=time.time_ns() // 1000, now=time.monotonic())
        began = time.monotonic()
        await self._ledger.settle(exchange)
        self._metrics.overhead("settle", time.monotonic() - began)
        self._tell(exchange)
        if kept := life.release():
            await send({"type": "http.response.body", "body": kept, "more_body": True})

    def _tell(self, exchange: Exchange) -> None:
        for sink in self._sinks:
            try:
                sink(exchange)
            except Exception:  # a reader that fails costs no one their answer
                log.exception("a reader of exchanges failed")

    def _attempted(self, result: str, *, is_healthy: bool) -> None:
        self._metrics.upstream_attempt(self._upstream.name, result)
        self._metrics.upstream_healthy(self._upstream.name, is_healthy=is_healthy)

    def _start_drain(self, life: Life) -> float:
        life.client_left()
        if self._drains >= self._drain.drains_max:
            raise GivenUp("drains_max")
        self._drains += 1
        self._metrics.active("draining", 1)
        return time.monotonic() + self._drain.seconds_max

    def _end_drain(self) -> None:
        self._drains -= 1
        self._metrics.active("draining", -1)

    def _opened(self, kind: str) -> None:
        self._open += 1
        self._idle.clear()
        self._metrics.active(kind, 1)

    def _closed(self, kind: str) -> None:
        self._open -= 1
        self._metrics.active(kind, -1)
        if self._open == 0:
            self._idle.set()


def _start(status: int, headers: wire.Headers, request_id: str) -> dict[str, Any]:
    passed = wire.to_client(headers, status=status)
    passed.append((REQUEST_ID, request_id.encode("ascii")))
    return {"type": "http.response.start", "status": status, "headers": passed}
