"""Making tenants, policies and budgets what a file says: all of it, or nothing.

Not here: what a file may say (`core.blueprint`), or what it takes (`core.plan`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.database import Source, reading, write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies, policies_in
from gateway.core.blueprint import Wanted
from gateway.core.plan import (
    ChangePolicy,
    CreateTenant,
    EndBudget,
    Present,
    SetBudget,
    Step,
    Suspend,
    plan,
)
from gateway.core.policy import said_by


class PlanChanged(ValueError):
    """What there is has changed since the plan was shown: look at it again."""


class Applier:
    """Plans, and does it. Synchronous. `author` is who wants it so."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

    def plan(self, wanted: Sequence[Wanted], *, is_pruning: bool) -> list[Step]:
        """What it would take. Raises ValueError for a key that there is not."""
        with reading(self._engine) as connection:
            return plan(wanted, self._present(connection), is_pruning=is_pruning)

    def apply(
        self, wanted: Sequence[Wanted], *, is_pruning: bool, shown: Sequence[Step] | None = None
    ) -> list[Step]:
        """Do it, in one transaction, and what was done.

        Raises PlanChanged where that is not what was shown, or ValueError; nothing is done then.
        """
        with write_transaction(self._engine) as connection:
            steps = plan(wanted, self._present(connection), is_pruning=is_pruning)
            if shown is not None and steps != list(shown):
                raise PlanChanged((PlanChanged.__doc__ or "").strip())
            for step in steps:
                self._do(connection, step)
        return steps

    def _present(self, connection: Connection) -> Present:
        tenants = Directory(engine=connection, now_us=self._now_us).list_tenants()
        budgets = Budgets(engine=connection, now_us=self._now_us).list_budgets()
        return Present(
            tenants={row.path: row.suspended_at_us is not None for row in tenants},
            keys=set(connection.scalars(select(schema.api_key.c.id))),
            policies={one: said_by(policy) for one, policy in policies_in(connection).items()},
            budgets=[standing.budget for standing in budgets],
        )

    def _do(self, connection: Connection, step: Step) -> None:
        how: dict[str, Any] = {"engine": connection, "now_us": self._now_us, "author": self._author}
        directory, policies, budgets = Directory(**how), Policies(**how), Budgets(**how)
        match step:
            case CreateTenant(path=path):
                directory.create_tenant(path)
            case Suspend(path=path, is_suspended=True):
                directory.suspend(path)
            case Suspend(path=path):
                directory.resume(path)
            case ChangePolicy(subject=subject, given=given, unset=unset):
                policies.change(subject, given=given, unset=unset)
            case SetBudget(subject=subject, wanted=wanted):
                said: Given = {"limit_pusd": wanted.limit_pusd}
                if wanted.zone is not None:
                    said["zone"] = wanted.zone
                if wanted.is_hard is not None:
                    said["is_hard"] = wanted.is_hard
                if wanted.thresholds_pct is not None:
                    said["thresholds_pct"] = wanted.thresholds_pct
                budgets.set_budget(subject, period=wanted.period, models=wanted.models, given=said)
            case EndBudget(subject=subject, before=before):
                budgets.end_budget(subject, period=before.period, models=before.models)
