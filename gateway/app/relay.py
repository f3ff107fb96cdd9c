"""Bytes from the upstream to the client, unchanged, while the life of their exchange is told.

The relay owns its loop, so it settles deterministically: a client that hangs up does not end it
(the server's `send` becomes a silent no-op and the upstream's answer is read to its end), and a
cancelled one settles before it goes. Not here: any decision; those are `core.life`'s.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.adapters.ledger import Ledger
from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import Upstream, UpstreamReply
from gateway.app.drain import Drain, DrainLimits, Drains, GivenUp
from gateway.app.errors import REQUEST_ID
from gateway.app.protocol import Connection
from gateway.app.readers import Sink, tell
from gateway.core import headers as wire
from gateway.core.errors import LedgerUnavailable, UpstreamUnavailable
from gateway.core.exchange import Exchange, Hold
from gateway.core.life import Life

Send = Callable[[Any], Awaitable[None]]
Begin = Callable[[Hold, float], Life]  # the life of a hold, from a moment of the monotonic clock

TURNED_AWAY = frozenset({429, 503})  # answered before any of the body was processed
BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 8.0
CLIENT_GONE = 499  # what no status of HTTP's own says, by the number that operators know
GATEWAY_STOPPED = 503

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A request that may be sent: its hold is durable."""

    hold: Hold
    body: bytes
    headers: wire.Headers
    path: str
    started: float  # of the monotonic clock
    cancels_on_disconnect: bool = False
    attempts_max: int = 1


class Relay:
    """Carries dispatched requests to their settlement; `aclose` waits for the last of them."""

    def __init__(  # noqa: PLR0913 - what it brings together, all by name
        self,
        *,
        upstream: Upstream,
        ledger: Ledger,
        begin: Begin,
        metrics: Metrics,
        sinks: tuple[Sink, ...],
        take_on: Callable[[Exchange], bool],  # who else settles what broke off, if they will
        drain: DrainLimits,
    ) -> None:
        self._upstream = upstream
        self._ledger = ledger
        self._begin = begin
        self._metrics = metrics
        self._sinks = sinks
        self._take_on = take_on
        self._drains = Drains(limits=drain, metrics=metrics)
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def carry(self, dispatch: Dispatch, send: Send, connection: Connection) -> int:
        """Send the request and relay its answer; returns the answer's HTTP status.

        Whatever happens, exactly one exchange is settled. Raises UpstreamUnavailable when the
        upstream gave no answer to relay.
        """
        life = self._begin(dispatch.hold, dispatch.started)
        kind = "stream" if dispatch.hold.is_stream else "whole"
        self._opened(kind)
        drain = Drain(
            self._drains, connection, life.client_left, cancels=dispatch.cancels_on_disconnect
        )
        try:
            async with drain:
                return await self._exchange(life, dispatch, send, connection, drain)
        except GivenUp as given_up:
            await self._finish(life, send, drain, reason=str(given_up))
            connection.abort()
            return CLIENT_GONE
        except asyncio.CancelledError:
            # The server's time to go is over. The task ends here, so it need not be told again.
            await self._finish(life, send, drain, reason="gateway_stopped")
            connection.abort()
            return GATEWAY_STOPPED
        except BaseException:
            await self._finish(life, send, drain, reason="gateway_failed")
            raise
        finally:
            self._closed(kind)

    async def aclose(self) -> None:
        """Wait until every exchange under way has settled."""
        await self._idle.wait()

    async def _exchange(
        self, life: Life, dispatch: Dispatch, send: Send, connection: Connection, drain: Drain
    ) -> int:
        try:
            reply = await self._answer(life, dispatch)
        except UpstreamUnavailable as broken:
            log.warning("the upstream gave no answer: %s", broken.__cause__ or broken)
            self._attempted(broken.code, is_healthy=False)
            life.ended(broken=broken)
            await self._finish(life, send, drain)
            raise
        try:
            if await self._is_relayed(life, reply, send, drain):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                connection.abort()
        except LedgerUnavailable:  # too late to answer it: the hold stays, and with it what is owed
            log.exception("the entry of %s could not be written", life.hold.request_id)
            connection.abort()
        finally:
            await reply.aclose()
        return reply.status

    async def _answer(self, life: Life, dispatch: Dispatch) -> UpstreamReply:
        """The upstream's answer: the first, or by policy the first that is no turning away."""
        for attempt in range(1, dispatch.attempts_max + 1):
            reply = await self._upstream.send(
                method="POST",
                path=dispatch.path,
                headers=dispatch.headers,
                body=dispatch.body,
                sending=life.sent,
            )
            if reply.status not in TURNED_AWAY or attempt == dispatch.attempts_max:
                break
            self._attempted("turned_away", is_healthy=True)
            life.turned_away()
            await reply.aclose()
            await asyncio.sleep(_backoff_seconds(attempt))
        self._attempted("answered", is_healthy=True)
        return reply

    async def _is_relayed(self, life: Life, reply: UpstreamReply, send: Send, drain: Drain) -> bool:
        """Relay an answer; False when it broke off, which the client must be able to see."""
        headers = [(name.lower(), value) for name, value in reply.headers]
        life.answered(status=reply.status, headers=headers, now=time.monotonic())
        await send(_start(reply.status, headers, life.hold.request_id))
        broken = None
        try:
            await self._body(life, reply, send, drain)
        except UpstreamUnavailable as breaking:
            broken = breaking
        life.ended(broken=broken)
        await self._finish(life, send, drain)
        return broken is None

    async def _body(self, life: Life, reply: UpstreamReply, send: Send, drain: Drain) -> None:
        async for chunk in reply.chunks():
            drain.look()
            ready = life.chunk(chunk, time.monotonic())
            self._note_id(life)
            if ready:
                await send({"type": "http.response.body", "body": ready, "more_body": True})
            if life.is_due:
                await self._finish(life, send, drain)

    async def _finish(
        self, life: Life, send: Send, drain: Drain, *, reason: str | None = None
    ) -> None:
        """Settle what is due, and only then let go of the bytes that waited for it.

        What broke off may be settled later by who asks the upstream: its hold stays until then.
        """
        if reason is not None:
            life.ended(reason=reason)
        if not life.is_due:
            return
        drain.look()
        drain.end()
        exchange = life.settle(settled_at_us=self._ledger.now_us(), now=time.monotonic())
        if exchange.recoverable and self._take_on(exchange):
            self._note_id(life)
        else:
            await self._settle(exchange)
        if kept := life.release():
            await send({"type": "http.response.body", "body": kept, "more_body": True})

    async def _settle(self, exchange: Exchange) -> None:
        try:
            await self._post(exchange)
        except asyncio.CancelledError:
            await self._post(exchange)  # posting twice is posting once, and the metrics hear of it
            raise

    def _note_id(self, life: Life) -> None:
        """Whoever finds the hold without us must know what to ask for."""
        if (response_id := life.opened()) is not None:
            self._ledger.opened(life.hold.request_id, response_id)

    async def _post(self, exchange: Exchange) -> None:
        began = time.monotonic()
        await self._ledger.settle(exchange)
        self._metrics.overhead("settle", time.monotonic() - began)
        tell(self._sinks, exchange)

    def _attempted(self, result: str, *, is_healthy: bool) -> None:
        self._metrics.upstream_attempt(self._upstream.name, result)
        self._metrics.upstream_healthy(self._upstream.name, is_healthy=is_healthy)

    def _opened(self, kind: str) -> None:
        self._open += 1
        self._idle.clear()
        self._metrics.active(kind, 1)

    def _closed(self, kind: str) -> None:
        self._open -= 1
        self._metrics.active(kind, -1)
        if self._open == 0:
            self._idle.set()


def _backoff_seconds(attempt: int) -> float:
    """Doubling, and never the same for two: what was turned away together would come back so."""
    longest: float = min(BACKOFF_SECONDS * 2 ** (attempt - 1), BACKOFF_SECONDS_MAX)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads a load, guards nothing


def _start(status: int, headers: wire.Headers, request_id: str) -> dict[str, Any]:
    passed = wire.to_client(headers, status=status)
    passed.append((REQUEST_ID, request_id.encode("ascii")))
    return {"type": "http.response.start", "status": status, "headers": passed}
