"""Alerts as rows: which are to be told now, each to one process at a time, until they are.

Taking one sets when it is due again. So whoever fails, or dies, has nothing to write, and another
tries then. Not here: what writes the rows (`docket`, `budgets`), or the telling (`webhook`).
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
    tuple_,
    update,
)

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.legs import budget_from
from gateway.adapters.reports import is_within
from gateway.core.alert import Alert, facts, pause_seconds
from gateway.core.budget import Account
from gateway.core.moment import iso_or_none

TAKEN_MAX = 16  # at once: they are told side by side
NEWS_SECONDS_MAX = 7 * 86_400  # what nobody was there to tell for so long is not told any more
_SECOND_US = 1_000_000


class Alerts:
    """Of all processes that share a database. Synchronous, a transaction each."""

    def __init__(
        self,
        *,
        engine: Engine,
        now_us: Callable[[], int],
        telling_seconds_max: float,
        pause_seconds_max: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._engine = engine
        self._now_us = now_us
        self._telling_seconds_max = telling_seconds_max
        self._pause_seconds_max = pause_seconds_max
        self._jitter = jitter

    def take(self) -> list[Alert]:
        """Some that are due, the oldest first; nobody else has them while they are told."""
        now_us = self._now_us()
        with self._engine.connect() as connection:  # most often there is none: no lock is taken
            if connection.execute(_due(now_us).limit(1)).first() is None:
                return []
        with write_transaction(self._engine) as connection:
            _forget_old(connection, now_us)
            query = _due(now_us).limit(TAKEN_MAX).with_for_update(skip_locked=True)
            rows = connection.execute(query).mappings().all()
            for row in rows:
                self._put_off(connection, row, now_us)
            return [_alert(connection, row) for row in rows]

    def told(self, alerts: Iterable[Alert]) -> None:
        """They have arrived: there is no next time."""
        now_us = self._now_us()
        with write_transaction(self._engine) as connection:
            for alert in alerts:
                account = alert.account
                connection.execute(
                    update(schema.alert)
                    .where(_is(account.budget_id, account.period_start_us, alert.threshold_pct))
                    .values(delivered_at_us=now_us, due_at_us=None)
                )

    def _put_off(self, connection: Connection, row: RowMapping, now_us: int) -> None:
        attempts = row["attempts"] + 1
        pause = pause_seconds(attempts, seconds_max=self._pause_seconds_max, jitter=self._jitter())
        due_at_us = now_us + int((self._telling_seconds_max + pause) * _SECOND_US)
        connection.execute(
            update(schema.alert)
            .where(_is(row["budget_id"], row["period_start_us"], row["threshold_pct"]))
            .values(attempts=attempts, due_at_us=due_at_us)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An alert, and what became of telling it."""

    alert: Alert
    delivered_at_us: int | None
    attempts: int


Place = tuple[int, str, int, int]  # when it was raised, and what it is of: budget, period, percent


def raised(
    engine: Engine, *, tenant: str | None = None, before: Place | None = None, limit: int
) -> list[Raised]:
    """Alerts, newest first; of a tenant's budgets those of all below it too. Reads only."""
    table, budget, key = schema.alert.c, schema.budget.c, schema.api_key.c
    place = (table.at_us, table.budget_id, table.period_start_us, table.threshold_pct)
    query = (
        select(schema.alert)
        .join(schema.budget, budget.id == table.budget_id)
        .outerjoin(schema.api_key, key.id == budget.subject)
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if tenant is not None:
        query = query.where(or_(is_within(key.tenant, tenant), is_within(budget.subject, tenant)))
    if before is not None:
        query = query.where(tuple_(*place) < tuple_(*before))
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
        return [
            Raised(
                alert=_alert(connection, row),
                delivered_at_us=row["delivered_at_us"],
                attempts=row["attempts"],
            )
            for row in rows
        ]


def place_of(alert: Alert) -> Place:
    """Where it stands among all."""
    account = alert.account
    return alert.at_us, account.budget_id, account.period_start_us, alert.threshold_pct


def raised_document(one: Raised) -> dict[str, object]:
    """An alert as scripts know it."""
    told = {"delivered_at": iso_or_none(one.delivered_at_us), "attempts": one.attempts}
    return {**facts(one.alert), **told}


def _due(now_us: int) -> Select[tuple[object, ...]]:
    table = schema.alert.c
    query = select(schema.alert).where(table.due_at_us <= now_us)
    return query.order_by(table.at_us, table.threshold_pct)


def _forget_old(connection: Connection, now_us: int) -> None:
    """Whoever names a webhook after a year is not told the year."""
    table = schema.alert.c
    connection.execute(
        update(schema.alert)
        .where(
            table.due_at_us <= now_us,
            table.attempts == 0,
            table.at_us < now_us - NEWS_SECONDS_MAX * _SECOND_US,
        )
        .values(due_at_us=None)
    )


def _is(budget_id: str, period_start_us: int, threshold_pct: int) -> ColumnElement[bool]:
    table = schema.alert.c
    return and_(
        table.budget_id == budget_id,
        table.period_start_us == period_start_us,
        table.threshold_pct == threshold_pct,
    )


def _alert(connection: Connection, row: RowMapping) -> Alert:
    budget, period, key = schema.budget, schema.budget_period, schema.api_key.c
    defined = connection.execute(
        select(budget, func.coalesce(key.tenant, budget.c.subject).label("tenant"))
        .outerjoin(schema.api_key, key.id == budget.c.subject)
        .where(budget.c.id == row["budget_id"])
    )
    figures = connection.execute(
        select(period).where(
            period.c.budget_id == row["budget_id"],
            period.c.period_start_us == row["period_start_us"],
        )
    )
    found = defined.mappings().one()
    return Alert(
        tenant=found["tenant"],
        budget=budget_from(found),
        account=Account(**figures.mappings().one()),
        threshold_pct=row["threshold_pct"],
        at_us=row["at_us"],
    )
