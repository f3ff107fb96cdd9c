"""How often an address failed to show a valid key: past a limit its keys are not looked up.

It keeps a flood of wrong keys from the database. A key that memory holds as right passes from any
address, so nobody is locked out by a neighbour's mistakes while working. Loopback and trusted
proxies are never limited: behind them anybody may stand. Not here: keys (`auth`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.address import Network, client_address, is_in, neighbourhood
from gateway.core.errors import TooManyFailedAttempts
from gateway.core.headers import Headers

WINDOW_SECONDS = 60.0
ADDRESSES_MAX = 10_000


@dataclass(slots=True)
class _Failures:
    ends: float  # of the clock
    count: int = 0


class FailedAttempts:
    """Failures by address, for a minute each; of too many addresses the oldest is forgotten."""

    def __init__(
        self,
        *,
        per_minute_max: int,
        trusted: tuple[Network, ...] = (),
        clock: Callable[[], float] = time.monotonic,
        is_sparing: bool = True,
        addresses_max: int = ADDRESSES_MAX,
    ) -> None:
        self._per_minute_max = per_minute_max
        self._trusted = trusted
        self._clock = clock
        self._is_sparing = is_sparing  # of loopback and trusted proxies
        self._addresses_max = addresses_max
        self._failures: dict[str, _Failures] = {}

    def check(self, peer: str, headers: Headers) -> None:
        """Raise TooManyFailedAttempts for an address that has used its failures up."""
        known = self._failures.get(self._origin(peer, headers))
        if known is None or known.count < self._per_minute_max:
            return
        left_seconds = known.ends - self._clock()
        if left_seconds > 0:
            raise TooManyFailedAttempts(retry_after_seconds=math.ceil(left_seconds))

    def failed(self, peer: str, headers: Headers) -> None:
        """Count a failure of the address."""
        origin = self._origin(peer, headers)
        if not origin:
            return
        known = self._failures.get(origin)
        if known is None or known.ends <= self._clock():
            self._failures.pop(origin, None)
            if len(self._failures) >= self._addresses_max:
                del self._failures[next(iter(self._failures))]
            known = self._failures[origin] = _Failures(self._clock() + WINDOW_SECONDS)
        known.count += 1

    def _origin(self, peer: str, headers: Headers) -> str:
        """Whom a failure is counted against; empty for who is never limited."""
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        address = client_address(peer, forwarded, self._trusted)
        if address is None:
            return "" if self._is_sparing else "unknown"
        if self._is_sparing and (address.is_loopback or is_in(address, self._trusted)):
            return ""
        return neighbourhood(address)
