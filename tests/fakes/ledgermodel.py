"""The law of budgets in dictionaries: what holds and settlements come to, one after the other.

A batch equals a sequence: what it settles, by id; then what corrects; then its holds as they came.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from gateway.core.budget import Budget, Leg
from gateway.core.exchange import Basis, Exchange, Hold

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Ask:
    """A hold to be placed; sent: whether it fits or not."""

    hold: Hold
    is_sent: bool = False


@dataclass
class Figures:
    limit: int
    is_hard: bool
    held: int = 0
    spent: int = 0
    excess: int = 0

    def keep_in_the_open(self) -> None:
        if self.is_hard:
            self.excess = max(self.excess, self.held + self.spent - self.limit)


class LedgerModel:
    """Budgets are `total` or of a `day` in UTC."""

    def __init__(self) -> None:
        self.budgets: dict[str, Budget] = {}
        self.accounts: dict[Leg, Figures] = {}
        self.holds: dict[str, Hold] = {}
        self.entries: dict[str, Exchange] = {}
        self.adjustments: dict[str, int] = {}
        self.alerts: set[tuple[str, int, int]] = set()

    def set_budget(self, budget: Budget, *, now_us: int) -> None:
        """As an administrator does: it is for now, and for what is to come."""
        self.budgets[budget.id] = budget
        account = self.accounts.get(_leg(budget, now_us))
        if account is not None:
            account.limit, account.is_hard, account.excess = budget.limit_pusd, budget.is_hard, 0
            account.keep_in_the_open()
            self._warn({_leg(budget, now_us): 0})

    def commit(self, batch: Sequence[Ask | Exchange]) -> dict[str, tuple[Leg, ...]]:
        """Apply a batch; returns what it placed."""
        before = {leg: account.spent for leg, account in self.accounts.items()}
        paid = sorted((one for one in batch if isinstance(one, Exchange)), key=_name)
        first = {_name(one): one for one in reversed(paid)}
        late = [one for one in paid if one is not first[_name(one)] or not self._settle(one)]
        for one in late:
            self._correct(one)
        asked = [one for one in batch if isinstance(one, Ask)]
        placed = [one.hold.request_id for one in asked if self._place(one, first.keys())]
        self._warn({leg: before.get(leg, 0) for leg in self.accounts})
        return {name: self.holds[name].legs or () for name in placed}

    def _settle(self, exchange: Exchange) -> bool:
        name = exchange.hold.request_id
        hold = self.holds.pop(name, None)
        legs = exchange.hold.legs if hold is None else hold.legs
        if legs is None:
            legs = self._legs(exchange.hold)
        if name in self.entries:
            return False
        self.entries[name] = structs.replace(exchange, hold=replace(exchange.hold, legs=legs))
        for account in self._of(legs):
            account.held -= 0 if hold is None else hold.hold_pusd
            unknown = exchange.cost_pusd is None
            account.spent += exchange.hold.hold_pusd if unknown else exchange.cost_pusd or 0
            account.keep_in_the_open()
        return True

    def _correct(self, exchange: Exchange) -> None:
        name = exchange.hold.request_id
        entry = self.entries[name]
        is_true = exchange.basis is not Basis.WORST_CASE and exchange.cost_pusd is not None
        is_guess = entry.basis is Basis.WORST_CASE and entry.cost_pusd is not None
        if not (is_true and is_guess) or name in self.adjustments:
            return
        delta = self.adjustments[name] = (exchange.cost_pusd or 0) - (entry.cost_pusd or 0)
        for account in self._of(entry.hold.legs or ()):
            account.spent += delta
            account.keep_in_the_open()

    def reprice(self, cost_pusd: int) -> None:
        """What was reported and had no price costs this much after all."""
        before = {leg: account.spent for leg, account in self.accounts.items()}
        for name, entry in sorted(self.entries.items(), key=_admission):
            is_known = entry.basis is Basis.REPORTED
            if entry.cost_pusd is not None or not is_known or name in self.adjustments:
                continue
            self.adjustments[name] = cost_pusd
            for account in self._of(entry.hold.legs or ()):
                account.spent += cost_pusd - entry.hold.hold_pusd
                account.keep_in_the_open()
        self._warn(before)

    def _place(self, ask: Ask, ended: Collection[str]) -> bool:
        hold = ask.hold
        name, amount = hold.request_id, hold.hold_pusd
        legs = () if name in ended else self._legs(hold)
        if name in self.entries or name in self.holds:
            return name in self.holds
        accounts = self._of(legs)
        if not ask.is_sent and any(
            one.is_hard and one.held + one.spent + amount > one.limit for one in accounts
        ):
            return False
        self.holds[name] = replace(hold, legs=legs)
        for account in accounts:
            account.held += amount
            account.keep_in_the_open()
        return True

    def _legs(self, hold: Hold) -> tuple[Leg, ...]:
        """The budgets above a hold; their periods begin if need be, at the limit of that moment."""
        found = [one for one in self.budgets.values() if _is_on_path(one, hold)]
        for budget in found:
            self.accounts.setdefault(
                _leg(budget, hold.created_at_us), Figures(budget.limit_pusd, budget.is_hard)
            )
        return tuple(sorted(_leg(budget, hold.created_at_us) for budget in found))

    def _of(self, legs: Iterable[Leg]) -> list[Figures]:
        return [self.accounts[leg] for leg in legs]

    def _warn(self, before: dict[Leg, int]) -> None:
        for leg, spent_before in before.items():
            account = self.accounts[leg]
            percents = self.budgets[leg[0]].thresholds_pct if leg[0] in self.budgets else ()
            for percent in percents:
                mark = percent * account.limit
                if spent_before * 100 < mark <= account.spent * 100:
                    self.alerts.add((*leg, percent))


def _name(exchange: Exchange) -> str:
    return exchange.hold.request_id


def _admission(one: tuple[str, Exchange]) -> tuple[int, str]:
    name, entry = one
    return entry.hold.created_at_us, name


def _leg(budget: Budget, at_us: int) -> Leg:
    return budget.id, 0 if budget.period == "total" else at_us // DAY_US * DAY_US


def _is_on_path(budget: Budget, hold: Hold) -> bool:
    is_above = f"{hold.tenant}/".startswith(f"{budget.subject}/")
    covers = budget.models is None or hold.model in budget.models
    return covers and (is_above or hold.key_id == budget.subject)
