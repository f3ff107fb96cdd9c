"""What a batch comes to, from what the database told: pure bookkeeping between its statements.

Settlements come first, so that what they free can be held again; then holds, in the order in which
they came. One that waits for others to end makes all wait that want the same money after it.
Not here: the statements that ask and write (`posting`, `pipeline`), or the sums (`core.budget`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.adapters.corrections import Correction
from gateway.adapters.rows import Row, Value
from gateway.adapters.work import Held, Work
from gateway.core.budget import Account, Budget, Leg, in_sentences, obstacle
from gateway.core.errors import BudgetHeld, ConcurrencyExceeded, GatewayError
from gateway.core.tenant import ancestry


class Judge(Protocol):
    """Who decides beside the money, inside the transaction."""

    @property
    def now_us(self) -> int:
        """The database's time."""

    @property
    def budgets(self) -> Mapping[str, Budget]:
        """Those in force, by id."""

    def fallen(self, held: Collection[Held]) -> Mapping[Value, GatewayError]:
        """Those whose key has lost its right since they were let in."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What the database told of a batch."""

    accounts: dict[Leg, Account]
    gone: Collection[Value] = ()  # the holds that its settlements ended
    fresh: Collection[Value] = ()  # the settlements that were not posted before
    there: Mapping[Value, tuple[Leg, ...]] = field(default_factory=dict)  # holds written before
    posted: Collection[Value] = ()  # holds whose settlement overtook them
    corrections: Collection[Correction] = ()
    open_holds: dict[str, int] = field(default_factory=dict)  # of subjects with a limit


@dataclass(slots=True)
class Docket:
    """What is to be written, and what is answered."""

    holds: list[Row] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    placed: dict[Value, tuple[Leg, ...]] = field(default_factory=dict)
    refused: dict[Value, GatewayError] = field(default_factory=dict)
    fresh: Collection[Value] = ()  # settlements that nobody had posted before


def decide(work: Work, told: Told, judge: Judge) -> Docket:
    """Apply a batch to its accounts."""
    docket = Docket(fresh=told.fresh)
    before = {leg: account.figures for leg, account in told.accounts.items()}
    for request_id, settled in work.settled.items():
        held_pusd = settled.hold_pusd if request_id in told.gone else 0
        cost_pusd = settled.spent_pusd if request_id in told.fresh else 0
        _resolve(work.legs[request_id], told.accounts, held_pusd, cost_pusd)
    for correction in told.corrections:
        _resolve(correction.legs, told.accounts, 0, correction.delta_pusd)
    if work.held:
        _place_all(work, told, judge, docket)
    for leg, figures in sorted(before.items()):
        account = told.accounts[leg]
        if account.figures != figures:
            docket.accounts.append(account)
            docket.alerts += _alerts(account, figures[1], judge)
    return docket


def _resolve(
    legs: tuple[Leg, ...], accounts: Mapping[Leg, Account], held_pusd: int, cost_pusd: int
) -> None:
    for leg in legs:
        account = accounts.get(leg)
        if account is not None:  # of a database that was set back: no cost is lost to a budget
            account.resolve(held_pusd, cost_pusd)


def _alerts(account: Account, spent_before_pusd: int, judge: Judge) -> Iterator[Row]:
    budget = judge.budgets.get(account.budget_id)
    if budget is None or account.spent_pusd <= spent_before_pusd:
        return
    now_us = judge.now_us
    for percent in account.crossed(budget, spent_before_pusd=spent_before_pusd):
        yield *account.leg, percent, now_us, None, 0, now_us


def _place_all(work: Work, told: Told, judge: Judge, docket: Docket) -> None:
    asked = [held for held in work.held.values() if not held.is_sent]
    fallen = judge.fallen([held for held in asked if held.row[0] not in told.there])
    queue = _Queue(told, judge)
    for request_id, held in work.held.items():
        if request_id in told.posted or request_id in work.settled:
            continue
        if (legs := told.there.get(request_id)) is not None:
            docket.placed[request_id] = legs
            continue
        legs = work.legs[request_id]
        accounts = [told.accounts[leg] for leg in legs]
        error = fallen.get(request_id)
        if error is None and not held.is_sent:
            error = queue.refusal(held, accounts)
        if error is not None:
            docket.refused[request_id] = error
            continue
        if told.open_holds:
            _count(held, told.open_holds)
        for account in accounts:
            account.hold(held.hold_pusd)
            if held.is_sent:  # it is under way, whether it fits or not
                account.resolve(0, 0)
        docket.holds.append(held.placed_row(legs))
        docket.placed[request_id] = legs


class _Queue:
    """Who of a batch may hold, in the order in which they came."""

    def __init__(self, told: Told, judge: Judge) -> None:
        self._told = told
        self._budgets = judge.budgets
        self._now_us = judge.now_us
        self._waited_for: set[Leg] = set()  # of those that came before

    def refusal(self, held: Held, accounts: Sequence[Account]) -> GatewayError | None:
        """Why it may not, as far as is known; None when it may."""
        for limit in held.terms.concurrency:
            if self._told.open_holds.get(limit.subject, 0) >= limit.open_max:
                return ConcurrencyExceeded(
                    f"{limit.subject} may have {limit.open_max} requests open at once, and has; "
                    "try again when one has ended."
                )
        error = obstacle(
            accounts,
            held.hold_pusd,
            budgets=self._budgets,
            terms=held.terms,
            now_us=self._now_us,
        )
        if error is None:
            # Also who would not wait overtakes nobody.
            return self._turn(held, accounts) if self._waited_for else None
        if isinstance(error, BudgetHeld) and held.terms.may_wait:
            self._waited_for.update(one.leg for one in accounts if not one.fits(held.hold_pusd))
        return error

    def _turn(self, held: Held, accounts: Sequence[Account]) -> BudgetHeld | None:
        for account in accounts:
            if account.leg in self._waited_for:
                sentence = in_sentences(account, self._budgets[account.budget_id], held.hold_pusd)
                return BudgetHeld(
                    f"{sentence} Others wait for that, and came first.",
                    left_pusd=account.left_pusd,
                )
        return None


def _count(held: Held, open_holds: dict[str, int]) -> None:
    for subject in (*ancestry(held.tenant), held.key_id):
        if subject in open_holds:
            open_holds[subject] += 1
