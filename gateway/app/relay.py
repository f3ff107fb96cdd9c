"""Bytes from the upstream to the client, unchanged, while what is made of them is told.

The relay owns its loop, so it ends deterministically: a client that hangs up does not end it
(the server's `send` becomes a silent no-op and the upstream's answer is read on), and a cancelled
one ends its course before it goes. Not here: what becomes of it (`metered`, `passage`).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import Upstream, UpstreamReply
from gateway.app.connection import Connection
from gateway.app.drain import Drain, DrainLimits, Drains, GivenUp
from gateway.app.errors import REQUEST_ID
from gateway.core import headers as wire
from gateway.core.errors import LedgerUnavailable, UpstreamUnavailable

Send = Callable[[Any], Awaitable[None]]

TURNED_AWAY = frozenset({429, 503})  # answered before any of the body was processed
BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 8.0
CLIENT_GONE = 499  # what no status of HTTP's own says, by the number that operators know
GATEWAY_STOPPED = 503

log = logging.getLogger(__name__)


class Course(Protocol):
    """What a request comes to: told what happens, it says what may leave, and when it is due.

    `answered` is told the head, its names in lower case, and returns the headers to pass on.
    `settle` is called when it is due, and returns the bytes that waited for it. What a chunk let go
    waits for `name` where the response `is_unnamed`.
    """

    @property
    def request_id(self) -> str: ...
    @property
    def is_stream(self) -> bool: ...
    @property
    def is_due(self) -> bool: ...
    @property
    def is_unnamed(self) -> bool: ...

    def sent(self) -> None: ...
    def turned_away(self) -> None: ...
    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers: ...
    def chunk(self, data: bytes) -> bytes: ...
    def ended(
        self, *, broken: UpstreamUnavailable | None = None, reason: str | None = None
    ) -> None: ...
    def client_left(self) -> None: ...
    async def name(self) -> None: ...
    async def settle(self) -> bytes: ...


class Dispatch(Struct, frozen=True, kw_only=True):
    """A request that may be sent."""

    method: str
    path: str
    headers: wire.Headers
    body: bytes
    cancels_on_disconnect: bool = False
    attempts_max: int = 1


class Relay:
    """Carries dispatched requests to the end of their course; `aclose` waits for the last."""

    def __init__(self, *, upstream: Upstream, metrics: Metrics, drain: DrainLimits) -> None:
        self._upstream = upstream
        self._metrics = metrics
        self._drains = Drains(limits=drain, metrics=metrics)
        self._open = 0
        self._idle: asyncio.Event | None = None  # while somebody waits for it

    async def carry(
        self, dispatch: Dispatch, course: Course, send: Send, connection: Connection
    ) -> int:
        """Send the request and relay its answer; returns the answer's HTTP status.

        Whatever happens, its course comes to its end. Raises UpstreamUnavailable when the upstream
        gave no answer to relay.
        """
        kind = "stream" if course.is_stream else "whole"
        self._opened(kind)
        drain = Drain(
            self._drains, connection, course.client_left, cancels=dispatch.cancels_on_disconnect
        )
        try:
            async with drain:
                return await self._exchange(course, dispatch, send, connection, drain)
        except GivenUp as given_up:
            await _finish(course, send, drain, reason=str(given_up))
            connection.abort()
            return CLIENT_GONE
        except asyncio.CancelledError:
            # The server's time to go is over. The task ends here, so it need not be told again.
            await _finish(course, send, drain, reason="gateway_stopped")
            connection.abort()
            return GATEWAY_STOPPED
        except BaseException:
            await _finish(course, send, drain, reason="gateway_failed")
            raise
        finally:
            self._closed(kind)

    async def aclose(self) -> None:
        """Wait until every exchange under way has settled."""
        if self._open:
            self._idle = asyncio.Event()
            await self._idle.wait()

    async def _exchange(
        self, course: Course, dispatch: Dispatch, send: Send, connection: Connection, drain: Drain
    ) -> int:
        try:
            reply = await self._answer(course, dispatch)
        except UpstreamUnavailable as broken:
            log.warning("the upstream gave no answer: %s", broken.__cause__ or broken)
            self._attempted(broken.code, is_healthy=False)
            course.ended(broken=broken)
            await _finish(course, send, drain)
            raise
        try:
            if await _is_relayed(course, reply, send, connection, drain):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                # What waits on its way leaves before the cut.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
                connection.abort()
        except LedgerUnavailable:  # too late to answer it: what is owed stays held
            log.exception("what became of %s could not be written", course.request_id)
            connection.abort()
        finally:
            await reply.aclose()
        return reply.status

    async def _answer(self, course: Course, dispatch: Dispatch) -> UpstreamReply:
        """The upstream's answer: the first, or by policy the first that is no turning away."""
        for attempt in range(1, dispatch.attempts_max + 1):
            reply = await self._upstream.send(
                method=dispatch.method,
                path=dispatch.path,
                headers=dispatch.headers,
                body=dispatch.body,
                sending=course.sent,
            )
            if reply.status not in TURNED_AWAY or attempt == dispatch.attempts_max:
                break
            self._attempted("turned_away", is_healthy=True)
            course.turned_away()
            await reply.aclose()
            await asyncio.sleep(_backoff_seconds(attempt))
        self._attempted("answered", is_healthy=True)
        return reply

    def _attempted(self, result: str, *, is_healthy: bool) -> None:
        self._metrics.upstream_attempt(self._upstream.name, result)
        self._metrics.upstream_healthy(self._upstream.name, is_healthy=is_healthy)

    def _opened(self, kind: str) -> None:
        self._open += 1
        self._metrics.active(kind, 1)

    def _closed(self, kind: str) -> None:
        self._open -= 1
        self._metrics.active(kind, -1)
        if self._open == 0 and self._idle is not None:
            self._idle.set()


async def _is_relayed(
    course: Course, reply: UpstreamReply, send: Send, connection: Connection, drain: Drain
) -> bool:
    """Relay an answer; False when it broke off, which the client must be able to see."""
    headers = [(name.lower(), value) for name, value in reply.headers]
    headers = course.answered(status=reply.status, headers=headers)
    await send(_start(reply.status, headers, course.request_id))
    passing = _Passing(course, connection)
    broken = None
    try:
        while await reply.pour(passing.take):
            drain.look()
            if course.is_unnamed:
                await course.name()
            if passing.left:
                await send({"type": "http.response.body", "body": passing.left, "more_body": True})
                passing.left = b""
            if course.is_due:
                await _finish(course, send, drain)
    except UpstreamUnavailable as breaking:
        broken = breaking
    except BaseException:
        if passing.left:  # it will not be sent, so nothing may be behind it
            connection.abort()
        raise
    course.ended(broken=broken)
    await _finish(course, send, drain)
    return broken is None


class _Passing:
    """What is done with each piece of an answer at once, where it is read: no task waits for it."""

    __slots__ = ("_course", "_write", "left")

    def __init__(self, course: Course, connection: Connection) -> None:
        self._course = course
        self._write = connection.write
        self.left = b""  # what has yet to be sent

    def take(self, chunk: bytes) -> bool:
        """Forward what may leave. True: that, or what is due, has to be waited for."""
        course = self._course
        ready = course.chunk(chunk)
        if course.is_unnamed or (ready and not self._write(ready)):
            self.left = ready
            return True
        return course.is_due


async def _finish(course: Course, send: Send, drain: Drain, *, reason: str | None = None) -> None:
    """Settle what is due, and only then let go of the bytes that waited for it."""
    if reason is not None:
        course.ended(reason=reason)
    if not course.is_due:
        return
    drain.look()
    drain.end()
    if kept := await course.settle():
        await send({"type": "http.response.body", "body": kept, "more_body": True})


def _backoff_seconds(attempt: int) -> float:
    """Doubling, and never the same for two: what was turned away together would come back so."""
    longest: float = min(BACKOFF_SECONDS * 2 ** (attempt - 1), BACKOFF_SECONDS_MAX)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads a load, guards nothing


def _start(status: int, headers: wire.Headers, request_id: str) -> dict[str, Any]:
    passed = wire.to_client(headers, status=status)
    passed.append((REQUEST_ID, request_id.encode("ascii")))
    return {"type": "http.response.start", "status": status, "headers": passed}
