"""What it takes to make tenants, policies and budgets what a file says: steps, in words. Pure.

Nothing that the file does not speak of is undone, unless all else is to be pruned: then what it
lists is exactly what it says, and tenants that it does not list are suspended, for they are never
deleted. Not here: the file (`blueprint`), or doing it (`app.apply`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.core.blueprint import DEFAULT_ZONE, BudgetWanted, Facts, Wanted
from gateway.core.budget import SPANS, THRESHOLDS_PCT, Budget
from gateway.core.money import to_usd
from gateway.core.tenant import ancestry

NONE: Facts = {}
_SAID = ("limit_pusd", "zone", "is_hard", "thresholds_pct")  # of a budget, by a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What there is: tenants and whether they are suspended, keys, policies, budgets in force."""

    tenants: Mapping[str, bool]
    keys: Collection[str]
    policies: Mapping[str, Facts]
    budgets: Sequence[Budget]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTenant:
    """With those above it that are missing."""

    path: str

    @property
    def words(self) -> str:
        return f"create tenant {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """Or the opposite."""

    path: str
    is_suspended: bool

    @property
    def words(self) -> str:
        return f"{'suspend' if self.is_suspended else 'resume'} tenant {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePolicy:
    """Fields to set, fields to unset, and what they were."""

    subject: str
    given: Facts
    unset: tuple[str, ...]
    before: Facts

    @property
    def words(self) -> str:
        said = [f"{name} = {_text(value)}{self._was(name)}" for name, value in self.given.items()]
        said += [f"{name} unset{self._was(name)}" for name in self.unset if name not in self.given]
        return f"policy of {self.subject}: {'; '.join(said)}"

    def _was(self, name: str) -> str:
        return f" (was {_text(self.before[name])})" if name in self.before else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget:
    """What is said of it, and what it was."""

    subject: str
    wanted: BudgetWanted
    before: Budget | None

    @property
    def words(self) -> str:
        wanted, before = self.wanted, self.before
        said = [_told(name, getattr(wanted, name), before) for name in _SAID]
        verb = "new budget" if before is None else "budget"
        what = _of(self.subject, wanted.period, wanted.models)
        return f"{verb} {what}: {', '.join(filter(None, said))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndBudget:
    """A budget that the file does not have."""

    subject: str
    before: Budget

    @property
    def words(self) -> str:
        before = self.before
        what = _of(self.subject, before.period, before.models)
        return f"end budget {what} (was {_worded('limit_pusd', before.limit_pusd)})"


Step = CreateTenant | Suspend | ChangePolicy | SetBudget | EndBudget


def plan(wanted: Sequence[Wanted], present: Present, *, is_pruning: bool) -> list[Step]:
    """The steps, in the order in which they can be taken; none where all is so already.

    Raises ValueError for a key that there is not.
    """
    steps: list[Step] = []
    known = set(present.tenants)
    for one in wanted:
        if one.is_key and one.subject not in present.keys:
            raise ValueError(f"there is no key {one.subject!r}: a file cannot make one")
        if not one.is_key and one.subject not in known:
            steps.append(CreateTenant(path=one.subject))
            known.update(ancestry(one.subject))
        steps += _steps_for(_whole(one) if is_pruning else one, present, is_pruning=is_pruning)
    if is_pruning:
        spoken = {path for one in wanted if not one.is_key for path in ancestry(one.subject)}
        steps += [
            Suspend(path=path, is_suspended=True)
            for path, is_suspended in sorted(present.tenants.items())
            if path not in spoken and not is_suspended
        ]
    return steps


def _whole(one: Wanted) -> Wanted:
    """What the file does not say of what it lists, said."""
    budgets = tuple(
        replace(
            budget,
            zone=budget.zone or DEFAULT_ZONE,
            is_hard=budget.is_hard is not False,
            thresholds_pct=THRESHOLDS_PCT
            if budget.thresholds_pct is None
            else budget.thresholds_pct,
        )
        for budget in one.budgets or ()
    )
    return replace(
        one,
        is_suspended=None if one.is_key else bool(one.is_suspended),
        policy=one.policy or NONE,
        budgets=budgets,
    )


def _steps_for(one: Wanted, present: Present, *, is_pruning: bool) -> Iterator[Step]:
    subject = one.subject
    is_suspended = present.tenants.get(subject, False)
    if one.is_suspended is not None and one.is_suspended != is_suspended:
        yield Suspend(path=subject, is_suspended=one.is_suspended)
    if one.policy is not None:
        before = present.policies.get(subject, NONE)
        yield from _policy_steps(subject, one.policy, before, is_pruning=is_pruning)
    if one.budgets is not None:
        found = {each.name: each for each in present.budgets if each.subject == subject}
        for budget in one.budgets:
            if not _is_so(budget, found.get(budget.name)):
                yield SetBudget(subject=subject, wanted=budget, before=found.get(budget.name))
        if is_pruning:
            for name in sorted(found.keys() - {budget.name for budget in one.budgets}):
                yield EndBudget(subject=subject, before=found[name])


def _policy_steps(
    subject: str, wanted: Facts, before: Facts, *, is_pruning: bool
) -> Iterator[ChangePolicy]:
    """Aliases are added to those that there are: to be less, they are unset first."""
    unset = tuple(name for name in before if is_pruning and before[name] != wanted.get(name))
    given = {
        name: value
        for name, value in wanted.items()
        if name in unset or not _is_said(name, value, before)
    }
    if given or unset:
        yield ChangePolicy(subject=subject, given=given, unset=unset, before=before)


def _is_said(name: str, value: object, before: Facts) -> bool:
    said = before.get(name)
    if name == "aliases" and isinstance(said, dict) and isinstance(value, dict):
        return value.items() <= said.items()
    return said == value


def _is_so(wanted: BudgetWanted, before: Budget | None) -> bool:
    return before is not None and all(
        getattr(wanted, name) in (None, getattr(before, name)) for name in _SAID
    )


def _of(subject: str, period: str, models: Sequence[str] | None) -> str:
    for_models = "" if models is None else f" for {', '.join(models)}"
    return f"of {subject}{for_models} {SPANS[period]}"


def _told(name: str, value: Any, before: Budget | None) -> str:
    """A budget's value in words, with what it was; empty where it is so, or nothing is said."""
    was = None if before is None else getattr(before, name)
    if value in (None, was):
        return ""
    return _worded(name, value) + ("" if was is None else f" (was {_worded(name, was)})")


def _worded(name: str, value: Any) -> str:
    if name == "limit_pusd":
        return f"{to_usd(value)} USD"
    if name == "zone":
        return f"in {value}"
    if name == "is_hard":
        return "hard" if value else "soft"
    return f"alerts at {','.join(map(str, value))} %" if value else "no alerts"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={model}" for name, model in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
