"""Prices that come after the cost: entries without one get it as an adjustment, each once.

Until then the hold is what an entry takes from its budgets; the adjustment puts the true cost in
its place. Entries whose usage is not known stay as they are: a price cannot help them. Not here:
truth that comes late (`corrections`).
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping, and_, exists, select, tuple_, update

from gateway.adapters import docket, schema
from gateway.adapters.clock import database_us
from gateway.adapters.corrections import Correction, cell_of
from gateway.adapters.database import insert_into, write_transaction
from gateway.adapters.docket import Told
from gateway.adapters.legs import budget_from
from gateway.adapters.reports import is_within
from gateway.adapters.rows import (
    COST_PUSD_MAX,
    OUT_OF_RANGE,
    Row,
    Value,
    legs_from_text,
    lines_text,
    use_from_text,
)
from gateway.adapters.work import Held, Work
from gateway.core.budget import Account, Budget, Leg
from gateway.core.cost import WINDOW_UNPRICED, Cost
from gateway.core.errors import GatewayError
from gateway.core.exchange import Basis, window_in
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice
from gateway.core.settlement import tier_of

REPRICED = "repriced"
USAGE_UNKNOWN = "usage_unknown"
MODEL_UNPRICED = "model_unpriced"
BATCH_ENTRIES_MAX = 100  # a transaction's: gateways wait for its locks

_KNOWN = (Basis.REPORTED.value, Basis.RETRIEVED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """What an entry costs after all."""

    entry: RowMapping
    price: ModelPrice
    cost: Cost
    cost_pusd: int


@dataclass(slots=True)
class Outcome:
    """What became of the entries without a cost."""

    posted: Counter[str] = field(default_factory=Counter)  # entries by the name of their price
    cost_pusd: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)  # by model and reason


def reprice(
    engine: Engine,
    book: PriceBook,
    *,
    now_us: int,
    since_us: int | None = None,
    tenant: str | None = None,
    is_dry_run: bool = False,
) -> Outcome:
    """Post what the book prices by now; whoever else does the same meanwhile, each entry once."""
    outcome = Outcome()
    for batch in _unpriced(engine, since_us=since_us, tenant=tenant):
        found = [_priced(entry, book) for entry in batch]
        ready = [one for one in found if isinstance(one, Repriced)]
        if not is_dry_run and ready:
            ready = _post(engine, ready, now_us=now_us)
        outcome.posted.update(one.price.name for one in ready)
        for one in ready:
            outcome.cost_pusd[one.price.name] += one.cost_pusd
        outcome.left.update(one for one in found if not isinstance(one, Repriced))
    return outcome


def _unpriced(
    engine: Engine, *, since_us: int | None, tenant: str | None
) -> Iterator[Sequence[RowMapping]]:
    """Batch by batch, oldest first."""
    table, done = schema.entry.c, schema.adjustment.c
    is_done = exists().where(done.request_id == table.request_id, done.kind == REPRICED)
    order = (table.created_at_us, table.request_id)
    query = select(schema.entry).where(table.cost_pusd.is_(None), ~is_done).order_by(*order)
    if since_us is not None:
        query = query.where(table.created_at_us >= since_us)
    if tenant is not None:
        query = query.where(is_within(table.tenant, tenant))
    after = query
    while True:
        with engine.connect() as connection:
            rows = connection.execute(after.limit(BATCH_ENTRIES_MAX)).mappings().all()
        if not rows:
            return
        yield rows
        last = rows[-1]
        after = query.where(tuple_(*order) > (last["created_at_us"], last["request_id"]))


def _priced(entry: RowMapping, book: PriceBook) -> Repriced | tuple[str, str]:
    """The entry with its cost, or its model and why there is still none."""
    model = entry["served_model"] or entry["model"]
    if entry["unpriced_use"] is None or entry["basis"] not in _KNOWN:
        return model, USAGE_UNKNOWN
    window = window_in(json.loads(entry["tags"]))
    price = book.find(model, entry["created_at_us"], window=window)
    if price is None:
        return model, MODEL_UNPRICED if window is None else WINDOW_UNPRICED
    usage, tools = use_from_text(entry["unpriced_use"])
    if tools.images is not None:
        price = book.with_images(price, entry["created_at_us"])
    tier = tier_of(entry["endpoint"], served=entry["service_tier"], asked=entry["requested_tier"])
    cost = price.cost(usage=usage, tools=tools, service_tier=tier)
    if cost.cost_pusd is None:
        return model, cost.problem or MODEL_UNPRICED
    if cost.cost_pusd > COST_PUSD_MAX:
        return model, OUT_OF_RANGE
    return Repriced(entry=entry, price=price, cost=cost, cost_pusd=cost.cost_pusd)


def _post(engine: Engine, ready: Sequence[Repriced], *, now_us: int) -> list[Repriced]:
    """One transaction; what it was the first to say. Locks in the order of the ledger's."""
    with write_transaction(engine) as connection:
        told_us = database_us(connection)
        at_us = now_us if told_us is None else told_us
        said = _say(connection, ready, at_us)
        posted = [one for one in ready if one.entry["request_id"] in said]
        corrections = [_correction(one) for one in posted]
        legs = {leg for correction in corrections for leg in correction.legs}
        told = Told(accounts=_lock(connection, legs), corrections=corrections)
        decided = docket.decide(Work(), told, _Clerk(now_us=at_us, budgets=_budgets(connection)))
        cells = Counter(correction.cell for correction in corrections)
        for cell, entries in sorted(cells.items()):
            costs = [one.counts[0] for one in corrections if one.cell == cell]
            _count(connection, cell, cost_pusd=sum(costs), entries=entries)
        for account in decided.accounts:
            _write(connection, account)
        if decided.alerts:
            names = schema.alert.c.keys()
            rows = [dict(zip(names, row, strict=True)) for row in decided.alerts]
            alerts = insert_into(schema.alert, connection.dialect).values(rows)
            connection.execute(alerts.on_conflict_do_nothing())
    return posted


def _say(connection: Connection, ready: Iterable[Repriced], at_us: int) -> Collection[str]:
    """Write the adjustments; the ids of those that were not there before."""
    rows = [
        {
            "request_id": one.entry["request_id"],
            "kind": REPRICED,
            "delta_pusd": one.cost_pusd,
            "at_us": at_us,
            "note": "its price became known after it had been posted without one",
            "price_version": one.price.version,
            "lines": lines_text(one.cost.lines),
        }
        for one in sorted(ready, key=lambda one: str(one.entry["request_id"]))
    ]
    statement = insert_into(schema.adjustment, connection.dialect).values(rows)
    written = statement.on_conflict_do_nothing().returning(schema.adjustment.c.request_id)
    return set(connection.scalars(written))


def _correction(one: Repriced) -> Correction:
    """Budgets gave its hold for it so far, and its hour nothing."""
    return Correction(
        legs=legs_from_text(one.entry["legs"]),
        delta_pusd=one.cost_pusd - one.entry["hold_pusd"],
        cell=cell_of(one.entry),
        counts=(one.cost_pusd,),
    )


def _lock(connection: Connection, legs: Collection[Leg]) -> dict[Leg, Account]:
    if not legs:
        return {}
    table = schema.budget_period
    key = table.c.budget_id, table.c.period_start_us
    query = select(table).where(tuple_(*key).in_(sorted(legs))).order_by(*key)
    rows = connection.execute(query.with_for_update(key_share=True)).mappings()
    accounts = [Account(**row) for row in rows]
    return {(account.budget_id, account.period_start_us): account for account in accounts}


def _count(connection: Connection, cell: Row, *, cost_pusd: int, entries: int) -> None:
    table = schema.usage_hour
    is_cell = [column == value for column, value in zip(table.primary_key, cell, strict=True)]
    values = {"cost_pusd": table.c.cost_pusd + cost_pusd, "unpriced": table.c.unpriced - entries}
    connection.execute(update(table).where(and_(*is_cell)).values(values))


def _write(connection: Connection, account: Account) -> None:
    table = schema.budget_period
    connection.execute(
        update(table)
        .where(
            table.c.budget_id == account.budget_id,
            table.c.period_start_us == account.period_start_us,
        )
        .values(spent_pusd=account.spent_pusd, excess_pusd=account.excess_pusd)
    )


def _budgets(connection: Connection) -> dict[str, Budget]:
    query = select(schema.budget).where(schema.budget.c.ended_at_us.is_(None))
    budgets = [budget_from(row) for row in connection.execute(query).mappings()]
    return {budget.id: budget for budget in budgets}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clerk:
    """A judge where nothing is to be held."""

    now_us: int
    budgets: Mapping[str, Budget]

    def fallen(self, held: Collection[Held]) -> Mapping[Value, GatewayError]:  # noqa: ARG002
        return {}
