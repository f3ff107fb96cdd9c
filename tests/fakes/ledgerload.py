"""A process that holds and settles without end and says what it was promised: to be killed.

    python ledgerload.py DATABASE_URL STATE_DIR [journal]

A line on stdout is an acknowledgement: `hold ID` or `entry ID`. With `journal` the ledger has one,
and an acknowledgement may rest on it.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from gateway.adapters.database import open_engine
from gateway.adapters.journal import Journal
from gateway.adapters.ledger import Ledger
from gateway.adapters.owners import Owner
from gateway.core.errors import LedgerUnavailable
from tests import builders

CONCURRENT = 16


def now_us() -> int:
    return time.time_ns() // 1000


async def live(ledger: Ledger, prefix: str) -> None:
    number = 0
    while True:
        number += 1
        hold = builders.hold(request_id=f"{prefix}-{number}", created_at_us=now_us())
        try:
            await ledger.hold(hold)
        except LedgerUnavailable:  # nothing was promised
            await asyncio.sleep(0.01)
            continue
        say("hold", hold.request_id)
        ledger.opened(hold.request_id, f"resp_{hold.request_id}")
        await ledger.settle(builders.exchange(hold=hold))
        say("entry", hold.request_id)


def say(what: str, request_id: str) -> None:
    os.write(1, f"{what} {request_id}\n".encode())


async def main(url: str, state_dir: Path, *, has_journal: bool) -> None:
    owner = Owner(state_dir)
    ledger = Ledger(
        engine=open_engine(url),
        owner_id=owner.id,
        now_us=now_us,
        journal=Journal(state_dir, owner.id) if has_journal else None,
        outage="journal",
    )
    ledger.start()
    await asyncio.gather(*(live(ledger, f"{owner.id}-{lane}") for lane in range(CONCURRENT)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), has_journal="journal" in sys.argv[3:]))
