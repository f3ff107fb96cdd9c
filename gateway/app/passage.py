"""Requests that cost nothing by themselves: reads, deletions and the like, passed as they come.

The same way through the gateway as for those that cost, but no hold and no entry. Who minds whose
objects are named asks `Ownership`; who has to read an answer, or change it, is told by `Aftercare`.
Not here: the bytes' way (`relay`), which endpoints there are (`core.endpoints`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.app.admission import MinuteLimits, PolicySource
from gateway.app.protocol import Connection
from gateway.app.relay import Dispatch, Relay, Send
from gateway.core import headers as wire
from gateway.core.endpoints import Match
from gateway.core.errors import InvalidRequest, UpstreamUnavailable
from gateway.core.settlement import SUCCESSES
from gateway.core.strict import Json, strict_object
from gateway.core.tenant import Tenant

CARED_BYTES_MAX = 16 * 1024 * 1024  # of an answer that is read before it leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A request that is passed. `path` is the upstream's, with the query as it came."""

    request_id: str
    match: Match
    tenant: Tenant
    path: str
    headers: wire.Headers  # for the upstream
    body: bytes

    @property
    def is_stream(self) -> bool:
        """Whether it asks for a stream of events."""
        return "stream=true" in self.path.partition("?")[2].split("&")


class Ownership(Protocol):
    """Who knows whose the objects are that a request names. Raises NotFound."""

    async def check(self, match: Match, fields: Mapping[str, Json], tenant: Tenant) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftercare:
    """What is done with the whole body of an answer before its end leaves: `act` returns it.

    It may take its time and raise LedgerUnavailable, which cuts the answer off.
    """

    act: Callable[[Passed, bytes], Awaitable[bytes]]
    is_rewriting: bool = False  # the body may come out otherwise than it went in


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Passes requests; `aftercare` is by the endpoint's name."""

    relay: Relay
    policies: PolicySource
    minutes: MinuteLimits
    ownership: Ownership
    aftercare: Mapping[str, Aftercare] = field(default_factory=dict)

    async def carry(self, passed: Passed, send: Send, connection: Connection) -> int:
        """Pass a request and relay its answer; returns the answer's HTTP status.

        Raises InvalidRequest, RateExceeded, what `Ownership.check` raises, and UpstreamUnavailable.
        """
        endpoint = passed.match.endpoint
        effective = await self.policies.find(passed.tenant)
        await self.minutes.admit(effective.counted, key_id=passed.tenant.key_id)
        await self.ownership.check(passed.match, _fields(passed), passed.tenant)
        dispatch = Dispatch(
            method=endpoint.method,
            path=passed.path,
            headers=passed.headers,
            body=passed.body,
            # What only reads is not read on for nobody; what does something has to be seen done.
            cancels_on_disconnect=endpoint.method == "GET",
            attempts_max=effective.policy.attempts_max or 1,
        )
        care = self.aftercare.get(endpoint.name)
        course = Passing(passed) if care is None else Cared(passed, care)
        return await self.relay.carry(dispatch, course, send, connection)


class Passing:
    """The course of a request whose answer is nobody's but the client's."""

    def __init__(self, passed: Passed) -> None:
        self.request_id = passed.request_id
        self.is_stream = passed.is_stream
        self.is_due = False

    def sent(self) -> None:
        pass

    def turned_away(self) -> None:
        pass

    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers:  # noqa: ARG002 - a course's signature
        return headers

    def chunk(self, data: bytes) -> bytes:
        return data

    def ended(
        self, *, broken: UpstreamUnavailable | None = None, reason: str | None = None
    ) -> None:
        pass

    def client_left(self) -> None:
        pass

    async def settle(self) -> bytes:
        return b""


class Cared(Passing):
    """The course of a request whose answer is read whole before its body leaves."""

    def __init__(self, passed: Passed, care: Aftercare) -> None:
        super().__init__(passed)
        self._passed = passed
        self._care = care
        self._is_kept = False
        self._body = bytearray()

    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers:
        self._is_kept = status in SUCCESSES
        if not (self._is_kept and self._care.is_rewriting):
            return headers
        return [one for one in headers if one[0] not in (b"content-length", b"etag")]

    def chunk(self, data: bytes) -> bytes:
        if not self._is_kept:
            return data
        self._body += data
        if len(self._body) > CARED_BYTES_MAX:
            raise UpstreamUnavailable("The answer is larger than any of its kind.", is_sent=True)
        return b""

    def ended(
        self, *, broken: UpstreamUnavailable | None = None, reason: str | None = None
    ) -> None:
        self.is_due = self._is_kept and broken is None and reason is None

    async def settle(self) -> bytes:
        self.is_due = False
        return await self._care.act(self._passed, bytes(self._body))


def _fields(passed: Passed) -> dict[str, Json]:
    if not passed.body:
        return {}
    if not passed.match.endpoint.has_body:
        raise InvalidRequest(f"{passed.match.endpoint.method} takes no body.")
    return strict_object(passed.body)
