"""The data plane: a plain ASGI application that takes a request through its first four hops.

1 path · 2 key to tenant · 3 body, price and policy · 4 hold; the relay has the rest. What costs
nothing leaves this way at the third (`passage`). It refuses in the API's own error shape; after the
hold only a missing upstream is an error of ours.
"""

import logging
import os
import random
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.adapters.metrics import Metrics
from gateway.app.admission import Admission, Permit
from gateway.app.auth import Authenticator
from gateway.app.bodies import Bodies, Body, ClientGone, Receive
from gateway.app.connection import CONNECTION, Connection
from gateway.app.costed import Costed
from gateway.app.errors import refuse
from gateway.app.holding import Holding
from gateway.app.metered import Meter, Metered
from gateway.app.passage import Passage
from gateway.app.passing import Passed
from gateway.app.relay import Dispatch, Relay, Send
from gateway.core import headers as wire
from gateway.core.admit import told
from gateway.core.endpoints import Match
from gateway.core.errors import (
    GatewayError,
    UpgradeRequired,
    UpstreamUnavailable,
    VersionNotServed,
)
from gateway.core.exchange import Hold
from gateway.core.prefixes import find_any
from gateway.core.request import ResponseRequest
from gateway.core.strict import refuse_query
from gateway.core.tenant import Tenant

Scope = dict[str, Any]

POLICY = b"x-gateway-policy"
OTHER = "other"  # the route of what is not served

log = logging.getLogger(__name__)


class BeginTrace(Protocol):
    """What notes a trace in a hold that was placed, and returns the headers that carry it on."""

    def __call__(
        self, hold: Hold, headers: wire.Headers, *, started: float, admitted: float, held: float
    ) -> wire.Headers: ...


class DataPlane:
    """Everything under `/v1/`."""

    def __init__(  # noqa: PLR0913 - what it brings together, all by name
        self,
        *,
        authenticator: Authenticator,
        admission: Admission,
        holding: Holding,
        relay: Relay,
        meter: Meter,
        passage: Passage,
        metrics: Metrics,
        bodies: Bodies,
        begin_trace: BeginTrace | None = None,  # None: a client's trace context passes as it is
        prefixes: tuple[str, ...] = (),  # of paths that are passed unmetered
    ) -> None:
        self._begin_trace = begin_trace
        self._prefixes = prefixes
        self._authenticator = authenticator
        self._admission = admission
        self._holding = holding
        self._relay = relay
        self._meter = meter
        self._passage = passage
        self._metrics = metrics
        self._bodies = bodies
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(scope=scope, send=send, id=self._ids.new(time.time_ns()))
        try:
            with self._bodies.one(scope["headers"], receive) as body:
                status = await self._serve(request, body)
        except ClientGone:
            return
        except GatewayError as error:
            status = error.status
            if not isinstance(error, UpstreamUnavailable):
                self._metrics.refused(request.tenant, error.code)
            await refuse(error, send, request_id=request.id)
        except Exception:
            log.exception("request %s failed", request.id)
            status = GatewayError.status
            await _apologise(scope["state"][CONNECTION], send, request.id)
        self._metrics.http_request(request.route, scope["method"], status)

    async def _serve(self, request: "_Request", incoming: Body) -> int:
        scope = request.scope
        headers: wire.Headers = scope["headers"]
        _check_protocol(scope, headers)
        match = find_any(scope["method"], scope["raw_path"], self._prefixes)
        request.route = match.endpoint.template
        tenant = await self._authenticator.tenant_of(headers, peer=_peer(scope))
        request.tenant = tenant.path
        if match.endpoint.has_body:
            wire.check_media(headers, may_be_form=match.endpoint.is_unmetered)
            refuse_query(scope["query_string"], (match.endpoint.form or ResponseRequest).ruled)
        authenticated = time.monotonic()
        body = await incoming.read()
        if match.endpoint.is_metered:
            self._metrics.overhead("auth", authenticated - request.started)
            return await self._metered(request, match, tenant, body)
        passed = Passed(
            request_id=request.id,
            match=match,
            tenant=tenant,
            path=_upstream_path(match, scope),
            headers=wire.to_upstream(headers),
            body=body,
        )
        return await self._passage.carry(passed, request.send, scope["state"][CONNECTION])

    async def _metered(self, request: "_Request", match: Match, tenant: Tenant, body: bytes) -> int:
        headers: wire.Headers = request.scope["headers"]
        received = time.monotonic()
        permit = await self._admission.admit(
            body,
            endpoint=match.endpoint,
            tenant=tenant,
            request_id=request.id,
            headers=headers,
        )
        # A series that is born with its first value shows no increase: it has to be there before.
        price = permit.hold.price
        self._metrics.tenant_seen(tenant.path, None if price is None else price.name)
        admitted = time.monotonic()
        permit = await self._holding.place(permit)
        self._metrics.clamped(tenant.path, [change.field for change in permit.changes])
        self._metrics.overhead("policy", admitted - received)
        held = time.monotonic()
        self._metrics.overhead("hold", held - admitted)
        passed = wire.to_upstream(headers)
        if self._begin_trace is not None:
            passed = self._begin_trace(
                permit.hold, passed, started=request.started, admitted=admitted, held=held
            )
        dispatch = Dispatch(
            method=match.endpoint.method,
            path=_upstream_path(match, request.scope),
            headers=passed,
            body=permit.body,
            cancels_on_disconnect=permit.decision.policy.on_disconnect == "cancel",
            attempts_max=permit.decision.policy.attempts_max or 1,
        )
        course = Metered(self._meter, permit.hold, request.started)
        connection: Connection = request.scope["state"][CONNECTION]
        send = _telling(Costed(request.send, connection, course), permit)
        return await self._relay.carry(dispatch, course, send, connection)


@dataclass(slots=True, kw_only=True)
class _Request:
    """One request on its way, and what is known of it when it is refused."""

    scope: Scope
    send: Send
    id: str
    started: float = field(default_factory=time.monotonic)
    route: str = OTHER
    tenant: str = ""  # its path, as soon as it is known: refusals are counted by it


class RequestIds:
    """New ids: each a UUIDv7, whose order is time's, so the ledger's pages fill from the end.

    They need to be different, not secret: asking the kernel each time would cost more than they do.
    """

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))  # noqa: S311 - see above

    def new(self, now_ns: int) -> str:
        """One that begins with this moment."""
        value = (now_ns // 1_000_000) << 80 | self._random.getrandbits(80)
        value = value & ~(0xF << 76) | 0x7 << 76  # version
        value = value & ~(0x3 << 62) | 0x2 << 62  # variant
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def _apologise(connection: Connection, send: Send, request_id: str) -> None:
    """For what should not happen: an error in the API's shape, or a cut where one has begun."""
    if connection.is_answered:
        connection.abort()
    else:
        await refuse(GatewayError(), send, request_id=request_id)


def _check_protocol(scope: Scope, headers: wire.Headers) -> None:
    if wire.first(headers, b"upgrade").lower() == "websocket":
        raise UpgradeRequired
    if scope["http_version"] == "1.0":
        raise VersionNotServed


def _peer(scope: Scope) -> str:
    """The address at the connection's other end; empty where there is none."""
    client: tuple[str, int] | None = scope.get("client")
    return "" if client is None else client[0]


def _upstream_path(match: Match, scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return f"{match.path}?{query.decode('latin-1')}" if query else match.path


def _telling(send: Send, permit: Permit) -> Send:
    """The answer's head says what the policy changed of the request."""
    if not permit.changes:
        return send
    header = POLICY, told(permit.changes).encode("ascii")

    async def telling(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return telling
