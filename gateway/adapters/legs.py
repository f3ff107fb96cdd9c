"""Which budgets a request counts against, and in which of their periods. In the writer's thread.

Definitions are read when the change log says that they changed, in the transaction that asks: a
budget binds from the first hold after it was set. Periods never change once begun, so those seen
are remembered. Not here: what the periods come to (`accounts`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf

from sqlalchemy import Connection, RowMapping, func, literal, select

from gateway.adapters import schema
from gateway.adapters.changes import BUDGET, News
from gateway.adapters.database import insert_into
from gateway.adapters.work import Claim
from gateway.core.budget import Budget, Leg
from gateway.core.period import Period, period_at
from gateway.core.tenant import ancestry

PATHS_MAX = 4096  # tenants and keys whose budgets are remembered
PERIODS_KEPT_MAX = 4  # of a budget: the current one, and those that late requests count in


@dataclass(slots=True)
class _Known:
    budget: Budget
    periods: list[Period] = field(default_factory=list)  # newest last

    def period_at(self, at_us: int) -> Period | None:
        for one in reversed(self.periods):
            if _contains(one, at_us):
                return one
        return None

    def look_up(self, connection: Connection, at_us: int) -> Period:
        """The same, from the database where it is not known; begun if need be."""
        period = self.period_at(at_us)
        if period is None:
            period = _period(connection, self.budget, at_us)
            self.periods = sorted([*self.periods, period], key=_start)[-PERIODS_KEPT_MAX:]
        return period


@dataclass(slots=True)
class _Path:
    """The budgets on the way of some requests, in the order of their ids."""

    known: list[_Known]
    legs: tuple[Leg, ...] = ()  # those last found, and the span in which all of them are the same
    from_us: int = 0
    until_us: float = 0.0

    def find(self, at_us: int) -> tuple[Leg, ...] | None:
        if self.from_us <= at_us < self.until_us:
            return self.legs
        periods = [one.period_at(at_us) for one in self.known]
        if not all(periods):
            return None
        found = [one for one in periods if one is not None]
        self.legs = tuple(
            (one.budget.id, period.start_us) for one, period in zip(self.known, found, strict=True)
        )
        self.from_us = max((period.start_us for period in found), default=0)
        self.until_us = min((period.end_us or inf for period in found), default=inf)
        return self.legs


class Legs:
    """The budgets in force, as far as a process knows them."""

    def __init__(self) -> None:
        self._known: dict[str, list[_Known]] | None = None  # by subject
        self._budgets: dict[str, Budget] = {}
        self._paths: dict[tuple[str | None, ...], _Path] = {}
        self.is_stale = True

    def hear(self, news: News) -> None:
        """What changed may be a budget."""
        if news.changes is None or any(change.kind == BUDGET for change in news.changes):
            self.is_stale = True

    def refresh(self, connection: Connection) -> None:
        """Read the definitions again, if they may have changed."""
        if not self.is_stale:
            return
        before = {one.budget.id: one for known in (self._known or {}).values() for one in known}
        query = select(schema.budget).where(schema.budget.c.ended_at_us.is_(None))
        found: dict[str, list[_Known]] = {}
        for row in connection.execute(query.order_by(schema.budget.c.id)).mappings():
            old = before.get(row["id"])
            known = _Known(budget_from(row), old.periods if old else [])
            found.setdefault(known.budget.subject, []).append(known)
        self._known, self._paths, self.is_stale = found, {}, False
        self._budgets = {one.budget.id: one.budget for known in found.values() for one in known}

    def may_bind(self, claim: Claim) -> bool:
        """Whether a hard budget may be on the way, as far as memory knows. From any thread."""
        known = self._known
        return known is None or any(one.budget.is_hard for one in _on_path(known, claim))

    def forget(self) -> None:
        """What the last transaction read or began may not be there."""
        self.is_stale = True
        for known in (self._known or {}).values():
            for one in known:
                one.periods.clear()

    def find(self, claim: Claim) -> tuple[Leg, ...] | None:
        """The legs in the order of their ids; None where a period has yet to be looked up."""
        return self._path(claim).find(claim.at_us)

    def begin(self, connection: Connection, claims: Iterable[Claim]) -> None:
        """Begin the periods of a batch that have not begun.

        In the order of locks: two processes whose clocks strike midnight begin the same ones.
        """
        wanted = {
            (known.budget.id, claim.at_us): known
            for claim in claims
            for known in self._path(claim).known
        }
        for (_, at_us), known in sorted(wanted.items(), key=_place):
            known.look_up(connection, at_us)

    def look_up(self, connection: Connection, claim: Claim) -> tuple[Leg, ...]:
        """The same, from the database; a period that has not begun begins."""
        return tuple(
            (one.budget.id, one.look_up(connection, claim.at_us).start_us)
            for one in self._path(claim).known
        )

    def _path(self, claim: Claim) -> _Path:
        """The budgets on the way, in the order of their ids."""
        place = claim[:-1]  # all but the moment
        path = self._paths.get(place)
        if path is None:
            if len(self._paths) >= PATHS_MAX:
                self._paths.clear()
            path = _Path(sorted(_on_path(self._known or {}, claim), key=_id))
            self._paths[place] = path
        return path

    @property
    def budgets(self) -> dict[str, Budget]:
        """The budgets in force, by id."""
        return self._budgets


def _on_path(known: dict[str, list[_Known]], claim: Claim) -> list[_Known]:
    if not known:
        return []
    models = claim.models
    return [
        one
        for subject in (*ancestry(claim.tenant), claim.key_id)
        for one in known.get(subject, ())
        if one.budget.covers(models)
    ]


def budget_from(row: RowMapping) -> Budget:
    """A row of `schema.budget`."""
    return Budget(
        id=row["id"],
        subject=row["subject"],
        period=row["period"],
        zone=row["zone"],
        is_hard=bool(row["is_hard"]),
        limit_pusd=row["limit_pusd"],
        models=None if row["models"] is None else tuple(json.loads(row["models"])),
        thresholds_pct=tuple(json.loads(row["thresholds"])),
    )


def _id(known: _Known) -> str:
    return known.budget.id


def _start(period: Period) -> int:
    return period.start_us


def _place(wanted: tuple[tuple[str, int], _Known]) -> tuple[str, int]:
    return wanted[0]


def _contains(period: Period, at_us: int) -> bool:
    return period.start_us <= at_us and (period.end_us is None or at_us < period.end_us)


def _period(connection: Connection, budget: Budget, at_us: int) -> Period:
    """The period in which a moment counts, begun if need be."""
    table = schema.budget_period.c
    row = connection.execute(
        select(table.period_start_us, table.period_end_us)
        .where(table.budget_id == budget.id, table.period_start_us <= at_us)
        .order_by(table.period_start_us.desc())
        .limit(1)
    ).first()
    before = None if row is None else Period(start_us=row[0], end_us=row[1])
    if before is not None and _contains(before, at_us):
        return before
    after_us = None if before is None else before.end_us
    period = period_at(budget.period, budget.zone, at_us, after_us=after_us)
    # A request may come late, from before a period that began in another zone.
    next_us = connection.scalar(
        select(func.min(table.period_start_us)).where(
            table.budget_id == budget.id, table.period_start_us > at_us
        )
    )
    if next_us is not None and period.end_us is not None:
        period = replace(period, end_us=min(period.end_us, next_us))
    _begin(connection, budget, period)
    return period


def _begin(connection: Connection, budget: Budget, period: Period) -> None:
    # The limit as it is when the row is there, not as it was read before: who changes it has the
    # budget's row first, and finds the period's row or leaves us the new limit.
    table, nothing = schema.budget.c, literal(0)
    snapshot = (
        select(
            table.id,
            literal(period.start_us),
            literal(period.end_us, schema.budget_period.c.period_end_us.type),
            table.is_hard,
            table.limit_pusd,
            nothing,
            nothing,
            nothing,
        )
        .where(table.id == budget.id)
        .with_for_update(read=True)
    )
    names = schema.budget_period.c.keys()
    statement = insert_into(schema.budget_period, connection.dialect).from_select(names, snapshot)
    connection.execute(statement.on_conflict_do_nothing())
