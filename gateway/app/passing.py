"""The courses of requests that cost nothing: their answers pass, or are read whole before.

Not here: who may pass (`passage`), or responses whose cost is still owed (`reading`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.core import headers as wire
from gateway.core.endpoints import Match
from gateway.core.errors import UpstreamUnavailable
from gateway.core.settlement import SUCCESSES
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftercare:
    """What is done with the whole body of an answer before its end leaves: `act` returns it.

    It may take its time and raise LedgerUnavailable, which cuts the answer off.
    """

    act: Callable[[Passed, bytes], Awaitable[bytes]]
    is_rewriting: bool = False  # the body may come out otherwise than it went in


class Passing:
    """The course of a request whose answer is nobody's but the client's."""

    def __init__(self, passed: Passed) -> None:
        self.request_id = passed.request_id
        self.is_stream = passed.is_stream
        self.is_unnamed = False

    @property
    def is_due(self) -> bool:
        return False

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

    async def name(self) -> None:
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
        self._is_whole = False
        self._body = bytearray()

    @property
    def is_due(self) -> bool:
        return self._is_whole

    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers:
        self._is_kept = status in SUCCESSES
        if not (self._is_kept and self._care.is_rewriting):
            return headers
        if wire.first(headers, b"content-encoding") not in ("", "identity"):
            # What cannot be read may be a list of what others have.
            raise UpstreamUnavailable(
                "The upstream's answer is encoded, which it was asked not to be: it cannot be read "
                "for what may be shown of it.",
                is_sent=True,
            )
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
        self._is_whole = self._is_kept and broken is None and reason is None

    async def settle(self) -> bytes:
        self._is_whole = False
        return await self._care.act(self._passed, bytes(self._body))
