"""Which exchanges are open in this process, and how far each has come; with workers, in all.

Lives are only referred to: one that ends is forgotten by itself. Not here: what is shown of them
(`console.live`).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from itertools import islice
from weakref import WeakValueDictionary

from gateway.adapters.live_files import LiveFiles
from gateway.core.life import Life
from gateway.core.progress import SoFar

LIVES_MAX = 1_000  # are told of; of more than that nobody reads each
PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


class Live:
    """The open exchanges. `files`: where several processes are one gateway."""

    def __init__(self, files: LiveFiles | None = None) -> None:
        self._lives: WeakValueDictionary[str, Life] = WeakValueDictionary()
        self._files = files

    def watch(self, life: Life) -> Life:
        """From now on it is seen, until it has ended."""
        self._lives[life.hold.request_id] = life
        return life

    def here(self) -> dict[str, SoFar]:
        """How far each of this process has come, the oldest first. On the event loop only."""
        now = time.monotonic()
        return {name: life.so_far(now) for name, life in islice(self._lives.items(), LIVES_MAX)}

    async def look(self) -> Mapping[str, SoFar]:
        """The same of all processes of this gateway, by request id."""
        here = self.here()
        if self._files is None:
            return here
        return {**await asyncio.to_thread(self._files.look), **here}

    async def run(self) -> None:
        """Tell the other processes, while somebody looks; until cancelled."""
        if self._files is None:
            return
        try:
            while True:
                await self._tell(self._files)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._files.end()

    async def _tell(self, files: LiveFiles) -> None:
        try:
            if files.is_watched():
                await asyncio.to_thread(files.tell, self.here())
        except OSError:
            log.warning("what is open here cannot be told to other workers", exc_info=True)
