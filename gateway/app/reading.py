"""Reading a response whose cost is still owed: who sees that it ended, settles it.

The client may be first, before the reconciler and whatever process began the response. Its cost is
then durable before the bytes leave that say that it ended. Not here: the bytes' way (`relay`).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from gateway.app.metered import Meter
from gateway.app.passing import Passed, Passing
from gateway.app.reconcile import Asks, Reconciler
from gateway.core import headers as wire
from gateway.core.errors import UpstreamUnavailable
from gateway.core.exchange import Exchange, Hold, unseen
from gateway.core.price_book import PriceBook
from gateway.core.reconciliation import Told, concluded, learned

READ_SECONDS_MAX = 2.0  # a read may wait that long: then it passes, and is settled later


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where it is known what is owed for a response, and where it is settled."""

    find: Callable[[str], Hold | None]  # the open hold of a response id; it blocks
    meter: Meter
    reconciler: Reconciler
    upstream: Asks
    book: Callable[[], PriceBook]  # the one in force

    async def owed(self, response_id: str) -> Exchange | None:
        """What is owed for it if nothing more is learned; None where it is settled, or not known.

        Without the database it is not known, and settled later.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                hold = await loop.run_in_executor(None, self.find, response_id)
        except (SQLAlchemyError, OSError):  # a timeout is an OSError too
            return None
        if hold is None:
            return None
        known = self.reconciler.followed(hold.request_id)
        return known or unseen(hold, response_id, hold.created_at_us, reason=None)

    async def ask(self, owed: Exchange) -> None:
        """Ask the upstream for a response that will soon not be there to be asked for."""
        assert owed.response_id is not None
        told = await self.upstream.ask(owed.response_id)
        if told is not None:
            await self.see(owed, told)

    async def see(self, owed: Exchange, told: Told) -> None:
        """Settle what is told to have ended. Raises LedgerUnavailable."""
        known = learned(owed, told, self.book())
        if known is not None:
            await self.meter.post(concluded(known, self.meter.ledger.now_us()))
            self.reconciler.drop(owed.hold.request_id)


class Reading(Passing):
    """The course of a request whose answer may say how a response ended."""

    def __init__(self, passed: Passed, desk: Desk, owed: Exchange) -> None:
        super().__init__(passed)
        self._desk = desk
        self._owed = owed
        self._life = desk.meter.begin(owed.hold, time.monotonic())
        self._status = 0
        self._is_done = False

    @property
    def is_due(self) -> bool:
        return self._life.is_due and not self._is_done

    def answered(self, *, status: int, headers: wire.Headers) -> wire.Headers:
        self._status = status
        self._life.answered(status=status, headers=headers, now=time.monotonic())
        return headers

    def chunk(self, data: bytes) -> bytes:
        return self._life.chunk(data, time.monotonic())

    def ended(
        self, *, broken: UpstreamUnavailable | None = None, reason: str | None = None
    ) -> None:
        self._life.ended(broken=broken, reason=reason)

    async def settle(self) -> bytes:
        self._is_done = True
        seen = self._life.observation
        if seen is not None:
            await self._desk.see(self._owed, Told(status=self._status, observation=seen))
        return self._life.release()
