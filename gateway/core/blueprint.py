"""What a file says that tenants, their policies and their budgets should be. Pure.

Not here: reading the file, or what it takes to get there (`plan`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.core.budget import Budget, budget_name, checked_budget
from gateway.core.money import pusd_from_usd
from gateway.core.policy import Name, policy_from, said_by
from gateway.core.tenant import tenant_path

Facts = Mapping[str, object]
DEFAULT_ZONE = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWanted:
    """A budget, told apart from others by its period and models. None: the file does not say."""

    period: str
    models: tuple[str, ...] | None
    limit_pusd: int
    zone: str | None = None
    is_hard: bool | None = None
    thresholds_pct: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return budget_name(self.period, self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the file says of a tenant, or of a key that exists. None: it does not say."""

    subject: str
    is_key: bool = False
    is_suspended: bool | None = None
    policy: Facts | None = None
    budgets: tuple[BudgetWanted, ...] | None = None


class _Budget(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    period: Literal["total", "day", "week", "month"]
    limit_usd: str
    models: list[Name] | None = None
    tz: str | None = None
    hard: bool | None = None
    thresholds: list[int] | None = None


class _Key(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    policy: dict[str, Any] | None = None
    budgets: list[_Budget] | None = None


class _Tenant(_Key, forbid_unknown_fields=True, kw_only=True):
    suspended: bool | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    tenants: dict[str, _Tenant] = {}
    keys: dict[str, _Key] = {}


def wanted_by(values: Facts) -> tuple[Wanted, ...]:
    """What a file says, parents before children. ValueError says what cannot be, and where."""
    try:
        file = msgspec.convert(values, _File)
    except msgspec.ValidationError as invalid:
        raise ValueError(str(invalid).replace("`", "")) from None
    tenants = [_tenant(path, told) for path, told in sorted(file.tenants.items())]
    keys = [
        Wanted(
            subject=key_id,
            is_key=True,
            policy=_policy(key_id, told.policy),
            budgets=_budgets(key_id, told.budgets),
        )
        for key_id, told in sorted(file.keys.items())
    ]
    return (*tenants, *keys)


def _tenant(path: str, told: _Tenant) -> Wanted:
    return Wanted(
        subject=tenant_path(path),
        is_suspended=told.suspended,
        policy=_policy(path, told.policy),
        budgets=_budgets(path, told.budgets),
    )


def _policy(subject: str, told: Facts | None) -> Facts | None:
    if told is None:
        return None
    try:
        return said_by(policy_from(told))
    except ValueError as refused:
        raise ValueError(f"the policy of {subject}: {refused}") from None


def _budgets(subject: str, told: Sequence[_Budget] | None) -> tuple[BudgetWanted, ...] | None:
    if told is None:
        return None
    try:
        budgets = tuple(_checked(subject, one) for one in told)
    except ValueError as refused:
        raise ValueError(f"a budget of {subject}: {refused}") from None
    names = [budget.name for budget in budgets]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"a budget of {subject}: {min(twice)} is there twice")
    return budgets


def _checked(subject: str, one: _Budget) -> BudgetWanted:
    """Each as it would be if it were new."""
    checked = checked_budget(
        Budget(
            id="",
            subject=subject,
            period=one.period,
            zone=one.tz or DEFAULT_ZONE,
            is_hard=one.hard is not False,
            limit_pusd=pusd_from_usd(one.limit_usd),
            models=None if one.models is None else tuple(sorted({*one.models})),
            thresholds_pct=tuple(one.thresholds or ()),
        )
    )
    return BudgetWanted(
        period=checked.period,
        models=checked.models,
        limit_pusd=checked.limit_pusd,
        zone=None if one.tz is None else checked.zone,
        is_hard=one.hard,
        thresholds_pct=None if one.thresholds is None else checked.thresholds_pct,
    )
