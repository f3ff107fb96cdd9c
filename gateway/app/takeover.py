"""Taking over what dead owners leave, at the start and again and again.

Not here: who is dead (`adapters.owners`), or what becomes of their holds (`reconcile`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import Engine

from gateway.adapters.adoption import adopt_journals
from gateway.adapters.ledger import Ledger
from gateway.adapters.owners import orphans
from gateway.core.exchange import Exchange

log = logging.getLogger(__name__)


class Takeover:
    """Of all that share this process' database, or its state folder."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        engine: Engine,
        state_dir: Path,
        heir: Callable[[list[Exchange]], Awaitable[None]],
        pause_seconds: float,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._state_dir = state_dir
        self._heir = heir
        self._pause_seconds = pause_seconds

    async def adopt(self) -> None:
        """Post what the dead settled: that is exact, and so comes first."""
        await adopt_journals(self._ledger, self._state_dir)

    async def bequeath(self) -> None:
        """Hand to the heir what is still held."""
        found = orphans(
            self._ledger,
            engine=self._engine,
            state_dir=self._state_dir,
            now_us=self._ledger.now_us,
        )
        async for lost in found:
            await self._heir(lost)

    async def run(self) -> None:
        """Do both at once, and then after each pause, until cancelled."""
        while True:
            try:
                await self.adopt()
                await self.bequeath()
            except Exception:
                log.exception("holds of dead owners could not be taken over; tried again later")
            await asyncio.sleep(self._pause_seconds)
