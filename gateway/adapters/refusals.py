"""Why requests found no money, kept for a while: there is no entry to ask. Not here: refusing."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, RowMapping, delete, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.reports import is_within
from gateway.adapters.rows import Row, storable_text
from gateway.core.exchange import Hold

KEPT_MAX = 10_000
FORGOTTEN_MAX = 1_000  # in one transaction
PAUSE_SECONDS = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that could not be held. Times are Unix microseconds."""

    request_id: str
    at_us: int
    tenant: str
    key_id: str
    model: str
    code: str
    hold_pusd: int
    message: str
    reasons: tuple[str, ...]  # how its worst case came about, a sentence for each part


def refusal_row(hold: Hold, *, code: str, message: str, reasons: Sequence[str]) -> Row:
    """The row of `schema.refusal`."""
    said = {"hold_pusd": hold.hold_pusd, "message": message, "reasons": list(reasons)}
    return (
        hold.request_id,
        hold.created_at_us,
        hold.tenant,
        hold.key_id,
        storable_text(hold.model),
        code,
        storable_text(json.dumps(said, ensure_ascii=True)),
    )


def find_refusal(engine: Engine, request_id: str) -> Refusal | None:
    """The refusal of a request, if it is kept."""
    query = select(schema.refusal).where(schema.refusal.c.request_id == request_id)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _refusal(row)


def newest_refusals(engine: Engine, *, tenant: str | None, limit: int) -> list[Refusal]:
    """Those kept, newest first: of one tenant with all below it, or of all."""
    table = schema.refusal.c
    query = select(schema.refusal).order_by(table.at_us.desc(), table.request_id).limit(limit)
    if tenant is not None:
        query = query.where(is_within(table.tenant, tenant))
    with engine.connect() as connection:
        return [_refusal(row) for row in connection.execute(query).mappings()]


def _refusal(row: RowMapping) -> Refusal:
    said = json.loads(row["document"])
    names = ("request_id", "at_us", "tenant", "key_id", "model", "code")
    return Refusal(
        **{name: row[name] for name in names},
        hold_pusd=said["hold_pusd"],
        message=said["message"],
        reasons=tuple(said["reasons"]),
    )


def forget_refusals(engine: Engine, *, kept_max: int = KEPT_MAX) -> None:
    """Delete all but the newest; few at a time, as who holds and settles waits meanwhile."""
    table = schema.refusal.c
    oldest = select(table.at_us).order_by(table.at_us.desc()).offset(kept_max).limit(1)
    with engine.connect() as connection:
        until_us = connection.scalar(oldest)
    if until_us is None:
        return
    some = select(table.request_id).where(table.at_us <= until_us).limit(FORGOTTEN_MAX)
    forget = delete(schema.refusal).where(table.request_id.in_(some.scalar_subquery()))
    is_done = False
    while not is_done:
        with write_transaction(engine) as connection:
            is_done = connection.execute(forget).rowcount < FORGOTTEN_MAX


async def keep_newest(engine: Engine, *, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Delete all but the newest, now and then, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.run_in_executor(None, forget_refusals, engine)
        except (SQLAlchemyError, OSError):
            log.warning("old refusals could not be deleted; it is tried again", exc_info=True)
        await asyncio.sleep(pause_seconds)
