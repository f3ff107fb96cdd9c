"""What dead owners left in their journals, brought into the database.

To be done before their holds are resolved (`owners`): a settlement that waits in a journal is
exact, and a hold that is resolved without it is only the worst case.
"""

import asyncio
import logging
from contextlib import closing
from pathlib import Path

from gateway.adapters.journal import LeftJournal, left_journals
from gateway.adapters.journal_records import known_postings
from gateway.adapters.ledger import Ledger

log = logging.getLogger(__name__)

RECORDS_AT_ONCE = 64  # as holds are claimed: no request's hold stands behind more (`owners`)


async def adopt_journals(ledger: Ledger, state_dir: Path) -> int:
    """Replay each journal whose owner is gone; returns how many records there were.

    A journal goes when all it says is durable. Raises LedgerUnavailable when the ledger closes
    before that; then it stays as it is, and replaying it again changes nothing.
    """
    adopted = 0
    with closing(left_journals(state_dir)) as found:
        for left in found:
            adopted += await _adopt(ledger, left)
    return adopted


async def _adopt(ledger: Ledger, left: LeftJournal) -> int:
    records, end_bytes, is_whole = 0, 0, True
    while True:
        payloads, end_bytes = await asyncio.to_thread(left.read, end_bytes, RECORDS_AT_ONCE)
        if not payloads:
            break
        postings = known_postings(payloads)
        is_written = await ledger.replay(postings)
        is_whole = is_whole and is_written and len(postings) == len(payloads)
        records += len(payloads)
    # What a kill tore was promised to nobody; what a disk damaged was, and someone should see it.
    if is_whole and not left.unread_bytes(end_bytes):
        left.remove()
    else:
        left.set_aside()
    log.info("%d records of %s are in the ledger", records, left.path.name)
    return records
