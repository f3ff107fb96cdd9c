"""Budgets as administrators set them: limits of tenants and keys.

Not here: which budgets a request counts against (`legs`), or what they come to (`standings`).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypedDict
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, case, or_, select, update

from gateway.adapters import schema
from gateway.adapters.audit import PROGRAM, Deed, record_deed
from gateway.adapters.changes import BUDGET, record_change
from gateway.adapters.clock import database_us
from gateway.adapters.database import Source, insert_into, reading, write_transaction
from gateway.adapters.legs import budget_from
from gateway.adapters.policies import Owner, owner_of, subjects_on_path
from gateway.adapters.standings import Standing, standings
from gateway.adapters.views import limit_facts
from gateway.core.budget import Account, Budget, budget_name, checked_budget
from gateway.core.tenant import ancestry

_KEY_DEPTH = 9  # below every tenant


class Given(TypedDict, total=False):
    """What may be said of a budget. Its thresholds are in percent of the limit."""

    limit_pusd: int
    zone: str
    is_hard: bool
    thresholds_pct: tuple[int, ...]


class BudgetUnknown(LookupError):
    """There is no such budget."""


class Budgets:
    """The administrator's verbs. Synchronous, one transaction each. `author` is who sets them."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str = PROGRAM) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

    def set_budget(
        self,
        subject: str,
        *,
        period: str,
        models: Sequence[str] | None = None,
        given: Given,
    ) -> Budget:
        """Change a budget, or begin one; what is not given stays as it is.

        A limit below what is spent and held stops what is new, and nothing that is under way. The
        current period keeps its end, whatever the zone. Raises SubjectUnknown, or ValueError.
        """
        names = _names(models)
        with write_transaction(self._engine) as connection:
            owner = owner_of(connection, subject)
            # First, because it lets administrators in one by one: two cannot both find no budget.
            record_change(connection, BUDGET, subject)
            now_us = self._database_us(connection)
            before = _find(connection, subject, period, names)
            changed = before or _new(_new_id(owner), subject, period, names, given)
            budget = checked_budget(replace(changed, **given))
            _write(connection, budget, now_us)
            _bring_to_date(connection, budget, now_us)
            self._record(connection, "budget.set", owner, before, budget)
        return budget

    def end_budget(self, subject: str, *, period: str, models: Sequence[str] | None = None) -> None:
        """Stop a budget. Its figures stay, and what is under way still counts in them.

        Raises SubjectUnknown or BudgetUnknown.
        """
        names = _names(models)
        with write_transaction(self._engine) as connection:
            owner = owner_of(connection, subject)
            record_change(connection, BUDGET, subject)
            budget = _find(connection, subject, period, names)
            if budget is None:
                raise BudgetUnknown(f"{subject} has no budget {budget_name(period, names)!r}")
            table = schema.budget
            connection.execute(
                update(table)
                .where(table.c.id == budget.id)
                .values(ended_at_us=self._database_us(connection))
            )
            self._record(connection, "budget.end", owner, budget, None)

    def list_budgets(
        self, subject: str | None = None, *, within: str | None = None
    ) -> list[Standing]:
        """Every budget in force, or those of one tenant or key, or of a tenant with all below it.

        Raises SubjectUnknown.
        """
        with reading(self._engine) as connection:
            if subject is not None:
                owner_of(connection, subject)
            subjects = None if subject is None else [subject]
            now_us = self._database_us(connection)
            return standings(connection, now_us, subjects=subjects, within=within)

    def list_on_way(self, subject: str, models: Iterable[str]) -> list[Standing]:
        """The budgets that a tenant's or key's request counts against, for a model by its names.

        Raises SubjectUnknown.
        """
        names = set(models)
        with reading(self._engine) as connection:
            subjects = subjects_on_path(connection, subject)
            found = standings(connection, self._database_us(connection), subjects=subjects)
        return [standing for standing in found if standing.budget.covers(names)]

    def _database_us(self, connection: Connection) -> int:
        told_us = database_us(connection)
        return self._now_us() if told_us is None else told_us

    def _record(
        self,
        connection: Connection,
        action: str,
        owner: Owner,
        before: Budget | None,
        after: Budget | None,
    ) -> None:
        budget = after or before
        assert budget is not None
        deed = Deed(
            author=self._author,
            at_us=self._now_us(),
            action=action,
            subject=budget.subject,
            tenant=owner.tenant,
            before=None if before is None else limit_facts(before),
            after=None if after is None else limit_facts(after),
        )
        record_deed(connection, deed)


def _new_id(owner: Owner) -> str:
    """It begins with how deep in the tree the budget is."""
    depth = _KEY_DEPTH if owner.is_key else len(ancestry(owner.tenant))
    return f"{depth}-{uuid4().hex}"


def _names(models: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if models is None else tuple(sorted({*models}))


def _new(
    budget_id: str, subject: str, period: str, models: tuple[str, ...] | None, given: Given
) -> Budget:
    if "limit_pusd" not in given:
        name = budget_name(period, models)
        raise ValueError(f"{subject} has no budget {name!r} yet: a new one needs a limit")
    return Budget(
        id=budget_id,
        subject=subject,
        period=period,
        zone="UTC",
        is_hard=True,
        limit_pusd=given["limit_pusd"],
        models=models,
    )


def _find(
    connection: Connection, subject: str, period: str, models: Sequence[str] | None
) -> Budget | None:
    table = schema.budget.c
    query = select(schema.budget).where(
        table.subject == subject,
        table.period == period,
        table.models.is_not_distinct_from(_models_text(models)),
        table.ended_at_us.is_(None),
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else budget_from(row)


def _models_text(models: Sequence[str] | None) -> str | None:
    return None if models is None else json.dumps(models)


def _write(connection: Connection, budget: Budget, now_us: int) -> None:
    values = {
        "zone": budget.zone,
        "is_hard": budget.is_hard,
        "limit_pusd": budget.limit_pusd,
        "thresholds": json.dumps(budget.thresholds_pct),
    }
    connection.execute(
        insert_into(schema.budget, connection.dialect)
        .values(
            id=budget.id,
            subject=budget.subject,
            period=budget.period,
            models=_models_text(budget.models),
            created_at_us=now_us,
            **values,
        )
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def _bring_to_date(connection: Connection, budget: Budget, now_us: int) -> None:
    """The limit of the current period, where it has begun, and the thresholds it now crosses.

    After the budget's own row, which whoever begins a period reads under its lock: either they have
    the new limit, or their period is found here.
    """
    table = schema.budget_period.c
    over = table.spent_pusd + table.held_pusd - budget.limit_pusd
    excess = case((over > 0, over), else_=0) if budget.is_hard else 0
    changed = connection.execute(
        update(schema.budget_period)
        .where(table.budget_id == budget.id, _is_current(now_us))
        .values(is_hard=budget.is_hard, limit_pusd=budget.limit_pusd, excess_pusd=excess)
        .returning(schema.budget_period)
    )
    row = changed.mappings().one_or_none()
    if row is None:
        return
    account = Account(**row)
    alerts = [
        {
            "budget_id": budget.id,
            "period_start_us": account.period_start_us,
            "threshold_pct": percent,
            "at_us": now_us,
            "due_at_us": now_us,
        }
        for percent in account.crossed(budget, spent_before_pusd=0)
    ]
    if alerts:
        statement = insert_into(schema.alert, connection.dialect).values(alerts)
        connection.execute(statement.on_conflict_do_nothing())


def _is_current(now_us: int) -> ColumnElement[bool]:
    table = schema.budget_period.c
    is_open = or_(table.period_end_us.is_(None), table.period_end_us > now_us)
    return and_(table.period_start_us <= now_us, is_open)
