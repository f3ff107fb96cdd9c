"""The door to the upstream: one request out, one reply back, errors in our own words.

Belongs here: what every request carries (host, credential, length), the one retry, the choice of
transport and the translation of httpx's errors; nothing of httpx passes this module. Not here:
which headers cross (`core.headers`), and what a transport does with sockets.

A transport is called directly, never through httpx's client: no cookies are kept, no redirect is
followed, no environment is read. Any of httpx's own serves as well as ours (`stock`).
"""

import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import httpx

from gateway.adapters.connection import Take
from gateway.adapters.response_parser import CLOSED_BEFORE_HEAD, CLOSED_IN_BODY
from gateway.adapters.stock import StockReply, StockTransport
from gateway.adapters.transport import FastTransport, Reply, Target
from gateway.core.errors import UpstreamTimeout, UpstreamUnavailable

Header = tuple[bytes, bytes]

PATHS_CACHED_MAX = 256
OWN_HEADERS = frozenset(
    {b"authorization", b"connection", b"content-length", b"host", b"transfer-encoding"}
)
METHODS_WITHOUT_BODY = frozenset({"DELETE", "GET", "HEAD"})
CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
STATUSES = range(200, 600)
BODY_TIMEOUT = "upstream_idle_timeout"

# By exception, the narrower before the wider: the code, and whether a byte of the request may
# have reached the upstream.
FAILURES: dict[type[httpx.HTTPError], tuple[str, bool]] = {
    httpx.ConnectTimeout: ("upstream_connect_timeout", False),
    httpx.PoolTimeout: ("upstream_pool_timeout", False),
    httpx.WriteTimeout: ("upstream_write_timeout", True),
    httpx.ConnectError: ("upstream_connect_failed", False),
    httpx.ProxyError: ("upstream_connect_failed", False),
    httpx.UnsupportedProtocol: ("upstream_connect_failed", False),
    httpx.LocalProtocolError: ("upstream_request_invalid", False),
    httpx.NetworkError: ("upstream_reset", True),
    httpx.RemoteProtocolError: ("upstream_malformed", True),
}


class CaFileUnusable(ValueError):
    """The file of certificate authorities cannot be used; the message says which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase of an exchange may take; `idle` is between pieces of a body."""

    connect_seconds: float = 5
    write_seconds: float = 30
    pool_seconds: float = 2
    first_byte_seconds: float = 600
    idle_seconds: float = 300


class UpstreamReply:
    """Status and headers of a response whose body is still to come. `aclose` must be called."""

    __slots__ = ("_reply", "headers", "status")

    def __init__(self, reply: Reply | StockReply) -> None:
        self._reply = reply
        self.status = reply.status
        self.headers: list[Header] = reply.headers

    async def pour(self, take: Take) -> bool:
        """Hand the body to `take` as it arrives, until it wants no more for now: then True.

        False where the body ended. Raises UpstreamUnavailable where it broke off.
        """
        try:
            return await self._reply.pour(take)
        except httpx.HTTPError as error:
            raise translated(error, read_code=BODY_TIMEOUT) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's pieces, one by one. Ends only where the body ended, else raises."""
        try:
            async for chunk in self._reply:
                yield chunk
        except httpx.HTTPError as error:
            raise translated(error, read_code=BODY_TIMEOUT) from error

    async def aclose(self) -> None:
        """Give the connection back if all was read, else close it. May be repeated."""
        await self._reply.aclose()


class Upstream:
    """One origin, one credential, one transport, for the life of the process."""

    def __init__(
        self,
        *,
        base_url: str,
        credential: Callable[[], str],
        transport: httpx.AsyncBaseTransport,
        timeouts: Timeouts,
    ) -> None:
        self.name = httpx.URL(base_url).host
        self._base_url = base_url.rstrip("/")
        self._host = httpx.URL(base_url).netloc
        self._credential = credential
        self._transport = (
            transport if isinstance(transport, FastTransport) else StockTransport(transport)
        )
        self._timeouts = timeouts
        self._phases = {
            "connect": timeouts.connect_seconds,
            "write": timeouts.write_seconds,
            "pool": timeouts.pool_seconds,
            "read": timeouts.first_byte_seconds,
        }
        # Parsing an URL costs more than all else here, and most requests go to the same one.
        self._target_of = lru_cache(PATHS_CACHED_MAX)(self._parse_target)

    async def send(
        self,
        *,
        method: str,
        path: str,
        headers: Sequence[Header],
        body: bytes,
        sending: Callable[[], None] | None = None,
    ) -> UpstreamReply:
        """Send a request; returns with the head of the response. `path` follows the base's.

        `sending` is called when the first byte may leave, and not at all if none does.
        """
        target = self._target_of(path)
        sent = partial(
            self._transport.send,
            method,
            target,
            self._with_own(method, headers, body),
            body,
            phases=self._phases,
            idle_seconds=self._timeouts.idle_seconds,
            sending=sending,
        )
        try:
            try:
                reply = UpstreamReply(await sent())
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # The connection was never made, so nothing can have been done twice.
                reply = UpstreamReply(await sent())
        except httpx.HTTPError as error:
            raise translated(error, read_code="upstream_first_byte_timeout") from error
        if problem := _problem(reply):
            await reply.aclose()
            raise UpstreamUnavailable(problem, is_sent=True, code="upstream_malformed")
        return reply

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _with_own(self, method: str, headers: Sequence[Header], body: bytes) -> list[Header]:
        own = [(b"host", self._host)]
        if body or method not in METHODS_WITHOUT_BODY:
            own.append((b"content-length", b"%d" % len(body)))
        if credential := self._credential():
            own.append((b"authorization", b"Bearer " + credential.encode()))
        return own + [header for header in headers if header[0].lower() not in OWN_HEADERS]

    def _parse_target(self, path: str) -> Target:
        # A path without its slash could lengthen the host's name.
        separator = "" if path.startswith("/") else "/"
        try:
            return Target.of(httpx.URL(self._base_url + separator + path))
        except httpx.InvalidURL as error:
            message = f"The upstream cannot be asked for this path: {error}."
            code = "upstream_request_invalid"
            raise UpstreamUnavailable(message, is_sent=False, code=code) from error


def transport_for(
    *,
    kind: Literal["fast", "stock"],
    connections_max: int,
    idle_seconds_max: float = 15,
    ca_file: str | None = None,
    proxy_url: str | None = None,
) -> httpx.AsyncBaseTransport:
    """Our transport, or httpx's: the stock one also where a proxy is set, since ours knows none.

    `ca_file` replaces the system's certificate authorities. Raises CaFileUnusable.
    """
    context = _tls_context(ca_file)
    if kind == "fast" and proxy_url is None:
        return FastTransport(
            connections_max=connections_max,
            idle_seconds_max=idle_seconds_max,
            ssl_context=context,
        )
    limits = httpx.Limits(
        max_connections=connections_max,
        max_keepalive_connections=connections_max,
        keepalive_expiry=idle_seconds_max,
    )
    return httpx.AsyncHTTPTransport(
        verify=context, trust_env=False, http2=False, limits=limits, proxy=proxy_url, retries=0
    )


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as unusable:  # an SSLError is one too
        raise CaFileUnusable(f"upstream.ca_file: {ca_file}: {unusable.strerror}") from unusable
    context.set_alpn_protocols(["http/1.1"])
    return context


def translated(error: httpx.HTTPError, *, read_code: str) -> UpstreamUnavailable:
    """Our error for one of httpx's; `read_code` names the phase that a read belonged to."""
    # Addresses and what the network says of them are the operator's: they go with the cause.
    message = "The upstream did not answer, or its answer broke off."
    if isinstance(error, httpx.ReadTimeout):
        return UpstreamTimeout(message, is_sent=True, code=read_code)
    code, is_sent = next(
        (failure for kind, failure in FAILURES.items() if isinstance(error, kind)),
        ("upstream_unavailable", True),
    )
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTimeout(message, is_sent=is_sent, code=code)
    if isinstance(error, httpx.RemoteProtocolError):
        code = _closed_code(str(error)) or code
    return UpstreamUnavailable(message, is_sent=is_sent, code=code)


def _closed_code(message: str) -> str | None:
    """Both transports say a premature close in these words, and only in words."""
    if message.startswith(CLOSED_IN_BODY):
        return "upstream_incomplete"
    return "upstream_reset" if message == CLOSED_BEFORE_HEAD else None


def _problem(reply: UpstreamReply) -> str | None:
    """What would break the client's side if it were passed on."""
    if reply.status not in STATUSES:
        return f"The upstream answered with status {reply.status}."
    if CONTROL_CHARACTER.search(b"".join([value for _, value in reply.headers])):
        return "The upstream sent a header with a control character."
    return None
