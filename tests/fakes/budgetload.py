"""A process that wants more than its budget has: it holds, settles below the hold, and dies.

    python budgetload.py DATABASE_URL STATE_DIR SEED REQUESTS

At its start it takes over what dead ones held. A line on stdout is an ask: `admitted`, `held` when
only holds were in the way, or `exhausted HOLD_PUSD`.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from gateway.adapters.owners import Owner, orphans
from gateway.core.errors import BudgetExhausted, BudgetHeld, LedgerUnavailable
from tests import builders
from tests.fakes.ledgerload import now_us

CONCURRENT = 16
HOLD_PUSD = (100, 1000)
COST_PUSD_MEAN = sum(HOLD_PUSD) / 4
SECONDS_MAX = 0.002  # of a request


async def ask(ledger: Ledger, name: str, draw: random.Random) -> str:
    hold = builders.hold(
        request_id=name,
        hold_pusd=draw.randint(*HOLD_PUSD),
        created_at_us=now_us(),
        legs=None,
    )
    try:
        hold = await ledger.hold(hold)
    except BudgetExhausted:
        return f"exhausted {hold.hold_pusd}"
    except BudgetHeld:
        return "held"
    await asyncio.sleep(draw.uniform(0, SECONDS_MAX))
    cost_pusd = draw.randint(0, hold.hold_pusd)
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=cost_pusd))
    return "admitted"


async def live(ledger: Ledger, lane: str, seed: str, requests: int) -> None:
    draw = random.Random(f"{seed} {lane}")
    for number in range(requests):
        try:
            told = await ask(ledger, f"{ledger.owner_id}-{lane}-{number}", draw)
        except LedgerUnavailable:  # late, on a busy machine: nothing was promised
            await asyncio.sleep(0.01)
            continue
        os.write(1, f"{told}\n".encode())


async def main(url: str, state_dir: Path, seed: str, requests: int) -> None:
    owner = Owner(state_dir)
    engine = open_engine(url)
    ledger = Ledger(engine=engine, owner_id=owner.id, now_us=now_us)
    ledger.start()
    async for lost in orphans(ledger, engine=engine, state_dir=state_dir, now_us=now_us):
        await asyncio.gather(*map(ledger.settle, lost))
    each = requests // CONCURRENT
    await asyncio.gather(*(live(ledger, f"{lane}", seed, each) for lane in range(CONCURRENT)))
    await ledger.aclose()
    owner.release()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
