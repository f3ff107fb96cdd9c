"""Entries that are old enough to go, month by month; the hours that they add up to stay.

PostgreSQL drops a month's part (`partitions`) and deletes what has none; SQLite deletes. Deleting
is in small batches, each a transaction of its own, with a pause as long as the batch took: gateways
have at least every other turn. What an entry is still needed for keeps it: a month with a request
that is still held is not touched, nor, unless told so, one with an entry that has yet to get its
cost. After a month has gone, nobody knows an id of it any more: a journal of that age, brought back
from a copy, would be posted again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, exists, func, select

from gateway.adapters import partitions, schema
from gateway.adapters.database import write_transaction
from gateway.adapters.repricing import REPRICED
from gateway.core.month import Month

BATCH_ENTRIES_MAX = 500  # a transaction's: gateways wait for it
PAUSE_SECONDS_MAX = 1.0

_ENTRY = schema.entry.c
_ADJUSTMENT = schema.adjustment


class StillNeeded(Exception):
    """A month cannot go; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A month that has entries, and how many requests its hours have."""

    month: Month
    requests: int


def old_months(engine: Engine, before: Month) -> list[Old]:
    """The months before this one that have entries, oldest first."""
    with engine.connect() as connection:
        return [
            Old(month=month, requests=_requests(connection, month))
            for month in _months(connection, before)
        ]


def prune(
    engine: Engine,
    before: Month,
    *,
    may_lack_cost: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let all entries of before this month go, with their adjustments. Raises StillNeeded."""
    if partitions.has_parts(engine):
        with engine.connect() as connection:
            old = [part for part in partitions.parts(connection) if part.until <= before]
        for part in old:
            with partitions.upkeep(engine) as connection:
                _drop(connection, part, may_lack_cost=may_lack_cost)
    while True:
        began = time.monotonic()
        with write_transaction(engine) as connection:
            _check(connection, before, may_lack_cost=may_lack_cost)
            deleted = _delete_some(connection, before)
        if deleted < BATCH_ENTRIES_MAX:
            return
        sleep(min(time.monotonic() - began, PAUSE_SECONDS_MAX))


def _drop(connection: Connection, part: partitions.Part, *, may_lack_cost: bool) -> None:
    ids = _ADJUSTMENT.c.request_id
    since = "" if part.since is None else part.since.first_id
    connection.execute(delete(_ADJUSTMENT).where(ids >= since, ids < part.until.first_id))
    partitions.lock_all(connection)  # nobody can hold or settle now
    _check(connection, part.until, may_lack_cost=may_lack_cost)
    partitions.drop(connection, part)


def _check(connection: Connection, before: Month, *, may_lack_cost: bool) -> None:
    until_us = before.start_us
    held = select(func.count()).where(schema.hold.c.created_at_us < until_us)
    if count := connection.scalar(held.select_from(schema.hold)):
        raise StillNeeded(
            f"{count} requests of before {before} are still held: `gateway holds list` shows "
            "them; a running gateway settles them"
        )
    if may_lack_cost:
        return
    is_done = exists().where(
        _ADJUSTMENT.c.request_id == _ENTRY.request_id, _ADJUSTMENT.c.kind == REPRICED
    )
    unpriced = select(_ENTRY.request_id).where(
        _ENTRY.cost_pusd.is_(None), _ENTRY.created_at_us < until_us, ~is_done
    )
    if connection.scalar(unpriced.limit(1)) is not None:
        raise StillNeeded(
            f"entries of before {before} have no cost yet: `gateway prices reprice` gives them "
            "theirs; --unpriced lets them go, and their holds stay spent"
        )


def _delete_some(connection: Connection, before: Month) -> int:
    some = (
        select(_ENTRY.request_id)
        .where(_ENTRY.created_at_us < before.start_us)
        .order_by(_ENTRY.created_at_us)
        .limit(BATCH_ENTRIES_MAX)
    )
    ids = connection.scalars(some).all()
    connection.execute(delete(_ADJUSTMENT).where(_ADJUSTMENT.c.request_id.in_(ids)))
    connection.execute(delete(schema.entry).where(_ENTRY.request_id.in_(ids)))
    return len(ids)


def _months(connection: Connection, before: Month) -> Iterator[Month]:
    oldest_us = connection.scalar(select(func.min(_ENTRY.created_at_us)))
    month = before if oldest_us is None else Month.at(oldest_us)
    while month < before:
        start_us, end_us = month.start_us, month.plus(1).start_us
        some = select(_ENTRY.request_id).where(
            _ENTRY.created_at_us >= start_us, _ENTRY.created_at_us < end_us
        )
        if connection.scalar(some.limit(1)) is not None:
            yield month
        month = month.plus(1)


def _requests(connection: Connection, month: Month) -> int:
    table = schema.usage_hour.c
    hours = month.start_us // schema.HOUR_US, month.plus(1).start_us // schema.HOUR_US
    query = select(func.sum(table.requests)).where(table.hour >= hours[0], table.hour < hours[1])
    return int(connection.scalar(query) or 0)
