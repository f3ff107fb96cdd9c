"""A process as its database sees it: batches written by the real statements, without threads.

What it knows of budgets and changes is its own, as in the real one, and goes when it dies.
"""

from sqlalchemy import Engine

from gateway.adapters.clock import DatabaseClock
from gateway.adapters.database import write_transaction
from gateway.adapters.docket import Docket
from gateway.adapters.judge import Bench
from gateway.adapters.pipeline import poster_for
from gateway.adapters.posting import Replayed
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, Posting, in_order, settled
from gateway.core.budget import Terms
from gateway.core.exchange import Exchange
from tests.fakes.ledgerload import now_us
from tests.fakes.ledgermodel import Ask

AT_ONCE = Terms(may_wait=False)


class Process:
    """What one process knows, and how it writes."""

    def __init__(self, engine: Engine, owner_id: str) -> None:
        self.owner_id = owner_id
        self._engine = engine
        self.bench = Bench(clock=DatabaseClock(now_us))
        self._poster = poster_for(engine.dialect)

    def write(self, batch: list[Ask | Exchange], *, is_replay: bool = False) -> Docket:
        """As the writer does."""
        postings = [self._posting(one) for one in batch]
        if not is_replay:
            with self._engine.connect() as connection:
                posted = self._poster.at_once(connection, postings, judge=self.bench)
            if posted is not None:
                return posted
        try:
            return self._transact(postings, is_replay=is_replay)
        except Replayed:
            self.bench.rolled_back()
            return self._transact(postings, is_replay=True)

    def poll(self) -> None:
        """Hear what changed, and know it, as who holds something does."""
        with write_transaction(self._engine) as connection:
            self.bench.poll(connection)
            self.bench.assign(connection, in_order([]))

    def _transact(self, batch: list[Posting], *, is_replay: bool) -> Docket:
        with write_transaction(self._engine) as connection:
            self.bench.sit(connection)
            return self._poster.apply(connection, batch, judge=self.bench, is_replay=is_replay)

    def _posting(self, one: Ask | Exchange) -> Posting:
        if isinstance(one, Exchange):
            return settled(one)
        row = hold_row(one.hold, owner_id=self.owner_id)
        return Held(row=row, terms=AT_ONCE, is_sent=one.is_sent)
