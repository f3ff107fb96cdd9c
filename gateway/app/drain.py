"""Reading on for clients that have left: how long, and for how many at once.

The upstream bills all the same, and its usage comes last. Not here: the reading itself (`relay`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.adapters.metrics import Metrics
from gateway.app.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainLimits:
    """How long and how many upstream answers are read on for clients that have left."""

    seconds_max: float = 900.0
    drains_max: int = 100


class GivenUp(Exception):
    """The client left, and its answer is not read on: `args[0]` says which limit spoke."""


class Drains:
    """All drains of this process."""

    def __init__(self, *, limits: DrainLimits, metrics: Metrics) -> None:
        self.limits = limits
        self._metrics = metrics
        self._count = 0

    def begin(self) -> bool:
        """Take a place, if there is one left."""
        if self._count >= self.limits.drains_max:
            return False
        self._count += 1
        self._metrics.active("draining", 1)
        return True

    def end(self) -> None:
        """Give a place back."""
        self._count -= 1
        self._metrics.active("draining", -1)


class Drain:
    """Around one exchange: from the moment its client leaves, its block has only so long.

    A block that takes longer ends with GivenUp, wherever it waits.
    """

    def __init__(
        self,
        drains: Drains,
        connection: Connection,
        on_left: Callable[[], None],
        *,
        cancels: bool = False,
    ) -> None:
        self._drains = drains
        self._connection = connection
        self._on_left = on_left
        self._cancels = cancels  # by policy: the answer is not read on at all
        self._limit = asyncio.timeout(None)
        self._reason = ""
        self._has_place = False
        self._is_over = False

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._connection.when_gone(self._start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise GivenUp(self._reason) from None

    def look(self) -> None:
        """A client that half-closed and then left is only noticed by who looks."""
        if self._connection.is_gone:
            self._start()

    def end(self) -> None:
        """There is nothing left to wait for: no limit applies any more."""
        if self._is_over:
            return
        self._is_over = True
        self._connection.when_gone(None)
        if not self._limit.expired():
            self._limit.reschedule(None)
        if self._has_place:
            self._drains.end()

    def _start(self) -> None:
        if self._reason or self._is_over:
            return  # told before: by who looked, and then by the connection's end
        self._on_left()
        self._has_place = not self._cancels and self._drains.begin()
        self._reason = "drain_seconds_max" if self._has_place else "drains_max"
        if self._cancels:
            self._reason = "on_disconnect_cancel"
        seconds = self._drains.limits.seconds_max if self._has_place else 0
        self._limit.reschedule(asyncio.get_running_loop().time() + seconds)
