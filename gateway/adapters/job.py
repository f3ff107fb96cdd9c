"""A posting on its way through the writer, and what becomes of it. Not here: the way (`writer`)."""

import asyncio
from dataclasses import dataclass

from gateway.adapters.work import Posting
from gateway.core.budget import Leg
from gateway.core.errors import GatewayError, LedgerUnavailable
from gateway.core.exchange import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """One transaction tried: how many postings, how long, and whether it is durable now."""

    postings: int
    duration_seconds: float
    is_committed: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A posting on its way through the writer, and who waits for it."""

    posting: Posting
    waiter: asyncio.Future[None] | None = None
    hold: Hold | None = None  # of a posting that holds
    wait_until: float = 0.0  # of the monotonic clock: so long it may wait for other holds to end
    is_waiting: bool = False
    legs: tuple[Leg, ...] | None = None  # of a hold that was placed
    is_begun: bool = False
    is_late: bool = False  # a settlement of what was settled before, by this process or another
    is_kept: bool = False  # the journal has it: the request goes on though the waiter left
    error: Exception | None = None  # it alone cannot be written, or may not be

    def begin(self) -> bool:
        """Whether to write it: not a hold that nobody waits for, if it was never tried.

        Once tried it may be durable although the answer was lost, so it stays until that is known.
        """
        is_wanted = self.hold is None or self.waiter is None or not self.waiter.done()
        self.is_begun = self.is_begun or is_wanted
        self.is_waiting = self.is_waiting and self.is_begun  # who left waits no more
        return self.is_begun

    @property
    def is_left(self) -> bool:
        """Whether it was written, or may have been, and nobody goes on with it."""
        assert self.waiter is not None
        is_unknown = isinstance(self.error, Closed)
        is_unwanted = is_unknown or (self.error is None and self.waiter.done())
        return self.is_begun and is_unwanted and not self.is_kept

    def answer(self) -> None:
        """Wake who waits for it, in the event loop."""
        if self.waiter is None or self.waiter.done():
            return
        if self.error is None:
            self.waiter.set_result(None)
        else:
            self.waiter.set_exception(self.shown())

    def shown(self) -> GatewayError:
        """Its error as who waits for it may see it."""
        if isinstance(self.error, GatewayError):
            return self.error
        unavailable = LedgerUnavailable()
        unavailable.__cause__ = self.error
        return unavailable


class Closed(Exception):
    """The ledger closed while the database did not answer."""


class TooLate(Exception):
    """The database did not answer within the limit."""
