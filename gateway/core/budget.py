"""Budgets: what a period's account can still hold, and what settling does to it. Pure.

The law: what is spent and held of a hard budget is never more than its limit. Only truth may exceed
it, where a cost was above its hold or a limit was lowered; that is the account's excess, in the
open. Not here: which budgets a request counts against (`adapters.legs`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from msgspec import Struct

from gateway.core.errors import BudgetExhausted, BudgetHeld, GatewayError, Unbounded
from gateway.core.money import PUSD_PER_USD, to_usd
from gateway.core.period import known_zone, period_at

LIMIT_PUSD_MAX = 4_000_000 * PUSD_PER_USD  # a period's: above it SQLite's sums may leave 64 bits
FIGURE_PUSD_MAX = 45 * 10**17  # of what is held or spent of a soft budget, for the same reason
THRESHOLDS_PCT = (50, 80, 100)
THRESHOLD_PCT_MAX = 1_000
_MODEL = re.compile(r"[^\s,=+]{1,256}\Z")

# A period as it follows an amount.
SPANS = {"total": "in total", "day": "a day", "week": "a week", "month": "a month"}

Leg = tuple[str, int]  # a budget's id, and the start of the period in which a request counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit as its administrator set it. `models` None: all."""

    id: str
    subject: str  # a tenant's path or a key's id
    period: str
    zone: str
    is_hard: bool
    limit_pusd: int
    models: tuple[str, ...] | None
    thresholds_pct: tuple[int, ...] = THRESHOLDS_PCT

    @property
    def name(self) -> str:
        """What tells the budgets of one subject apart."""
        return budget_name(self.period, self.models)

    def covers(self, models: Iterable[str]) -> bool:
        """Whether a request for a model, by any of its names, counts here."""
        return self.models is None or not set(self.models).isdisjoint(models)


def checked_budget(budget: Budget) -> Budget:
    """The budget, its thresholds in order. ValueError: it cannot be one."""
    if not 0 <= budget.limit_pusd <= LIMIT_PUSD_MAX:
        usd = LIMIT_PUSD_MAX // PUSD_PER_USD
        raise ValueError(f"a budget's limit is from 0 to {usd:,} USD a period")
    if budget.models is not None and not (budget.models and all(map(_MODEL.match, budget.models))):
        raise ValueError("a budget's models are names without spaces, as gpt-5,gpt-5-mini")
    if any(not 1 <= percent <= THRESHOLD_PCT_MAX for percent in budget.thresholds_pct):
        raise ValueError(f"a threshold is from 1 to {THRESHOLD_PCT_MAX} percent of the limit")
    period_at(budget.period, known_zone(budget.zone), 0)
    return replace(budget, thresholds_pct=tuple(sorted({*budget.thresholds_pct})))


def budget_name(period: str, models: Sequence[str] | None) -> str:
    """What tells the budgets of one subject apart: `month`, or `month:gpt-5+gpt-5-mini`."""
    return period if models is None else f"{period}:{'+'.join(models)}"


@dataclass(slots=True, kw_only=True)
class Account:
    """What one period of a budget comes to. Picodollars; times are Unix microseconds."""

    budget_id: str
    period_start_us: int
    period_end_us: int | None  # None: it never ends
    is_hard: bool
    limit_pusd: int
    held_pusd: int = 0
    spent_pusd: int = 0
    excess_pusd: int = 0

    @property
    def leg(self) -> Leg:
        """Its key."""
        return self.budget_id, self.period_start_us

    @property
    def figures(self) -> tuple[int, int, int]:
        """What moves: held, spent, excess."""
        return self.held_pusd, self.spent_pusd, self.excess_pusd

    @property
    def left_pusd(self) -> int:
        """What may still be held; zero where the truth is above the limit."""
        return max(0, self.limit_pusd - self.spent_pusd - self.held_pusd)

    def fits(self, hold_pusd: int) -> bool:
        """Whether this much more may be held."""
        if not self.is_hard:
            return self.held_pusd + hold_pusd <= FIGURE_PUSD_MAX
        return self.spent_pusd + self.held_pusd + hold_pusd <= self.limit_pusd

    def would_fit_alone(self, hold_pusd: int) -> bool:
        """Whether it would fit if nothing else were held."""
        return not self.is_hard or self.spent_pusd + hold_pusd <= self.limit_pusd

    def hold(self, hold_pusd: int) -> None:
        """Put this much aside."""
        self.held_pusd += hold_pusd

    def resolve(self, held_pusd: int, cost_pusd: int) -> None:
        """Undo a hold and spend the cost; a negative one corrects what was posted too high."""
        self.held_pusd -= held_pusd
        self.spent_pusd = min(self.spent_pusd + cost_pusd, FIGURE_PUSD_MAX)
        over_pusd = self.spent_pusd + self.held_pusd - self.limit_pusd - self.excess_pusd
        if self.is_hard and over_pusd > 0:
            self.excess_pusd += over_pusd

    def crossed(self, budget: Budget, *, spent_before_pusd: int) -> Iterator[int]:
        """The thresholds, in percent of the limit, that spending passed."""
        for percent in budget.thresholds_pct:
            if spent_before_pusd * 100 < percent * self.limit_pusd <= self.spent_pusd * 100:
                yield percent


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyLimit:
    """At most so many open holds of a tenant, with all below it, or of a key."""

    subject: str
    open_max: int


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms a hold may be placed."""

    may_wait: bool = True  # for other holds to end, where only they are in the way
    unbounded: str | None = None  # why its worst case is none: then no hard budget may be touched
    concurrency: tuple[ConcurrencyLimit, ...] = ()
    asked_seconds: float = 0.0  # that the database had already: all its answers have one limit


ANY_TERMS = Terms()


def obstacle(
    accounts: Sequence[Account],
    hold_pusd: int,
    *,
    budgets: Mapping[str, Budget],
    terms: Terms,
    now_us: int,
) -> GatewayError | None:
    """Why a hold cannot be placed on all of its accounts; None when it can.

    BudgetHeld when it would fit if other holds ended; what waiting cannot mend comes first.
    """
    if terms.unbounded is not None and any(account.is_hard for account in accounts):
        return Unbounded(terms.unbounded)
    full = [account for account in accounts if not account.fits(hold_pusd)]
    if not full:
        return None
    worst = min(full, key=lambda account: account.would_fit_alone(hold_pusd))
    left_pusd = min(account.left_pusd for account in full)
    told = in_sentences(worst, budgets[worst.budget_id], hold_pusd)
    if worst.would_fit_alone(hold_pusd):
        return BudgetHeld(told, left_pusd=left_pusd)
    ends_us = worst.period_end_us
    left_seconds = None if ends_us is None else max(1, (ends_us - now_us) // 1_000_000)
    return BudgetExhausted(told, left_pusd=left_pusd, resets_in_seconds=left_seconds)


def in_sentences(account: Account, budget: Budget, hold_pusd: int) -> str:
    """What a hold would take, of which budget, and what that has left."""
    models = "" if budget.models is None else f" for {', '.join(budget.models)}"
    ends_us = account.period_end_us
    resets = "It does not reset" if ends_us is None else f"It resets at {moment(ends_us)}"
    return (
        f"This request may cost up to {to_usd(hold_pusd)} USD, and the budget of {budget.subject}"
        f"{models} ({SPANS[budget.period]}) has {to_usd(account.left_pusd)} USD left: of"
        f" {to_usd(account.limit_pusd)} USD, {to_usd(account.spent_pusd)} are spent and"
        f" {to_usd(account.held_pusd)} are held for requests that are under way. {resets}."
    )


def moment(at_us: int) -> str:
    """A moment as people write it, to the second."""
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
