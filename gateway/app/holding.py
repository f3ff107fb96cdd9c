"""Hop 4: the hold is placed, made to fit, or refused. Not here: what it is (`admission`)."""

from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from gateway.adapters.ledger import Ledger
from gateway.adapters.refusals import refusal_row
from gateway.app.admission import Permit
from gateway.core.errors import (
    BudgetExhausted,
    BudgetHeld,
    ConcurrencyExceeded,
    GatewayError,
    Unbounded,
)
from gateway.core.request import Request


class Counter(Protocol):
    """Who can say how long an input is."""

    async def count(self, request: Request) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Places holds; where money is short, by the policy's manners."""

    ledger: Ledger
    counter: Counter

    async def place(self, permit: Permit) -> Permit:
        """The request as it may be sent, its hold durable. Raises what `Ledger.hold` raises.

        What was refused for its money can be asked about: the refusal is kept.
        """
        try:
            if permit.decision.fits_output or permit.counts_input:
                return await self._fitted(permit)
            await self.ledger.hold(permit.hold, permit.terms)
        except (BudgetExhausted, BudgetHeld, Unbounded, ConcurrencyExceeded) as refused:
            self._note(permit, refused)
            raise
        return permit

    async def _fitted(self, permit: Permit) -> Permit:
        try:
            await self.ledger.hold(permit.hold, replace(permit.terms, may_wait=False))
        except (BudgetExhausted, BudgetHeld) as refused:
            permit = await self._tightened(permit, refused.left_pusd)
            # Money moves meanwhile: this may have to wait, as others do.
            await self.ledger.hold(permit.hold, permit.terms)
        return permit

    async def _tightened(self, permit: Permit, left_pusd: int) -> Permit:
        """With a shorter worst case: by the upstream's own count of its input, by less output."""
        if permit.counts_input:
            tokens = await self.counter.count(permit.decision.admitted.request)
            permit = permit if tokens is None else permit.counted(tokens)
        if permit.decision.fits_output and permit.hold.hold_pusd > left_pusd:
            permit = permit.fitted(left_pusd) or permit
        return permit

    def _note(self, permit: Permit, refused: GatewayError) -> None:
        worst = permit.decision.bound
        row = refusal_row(
            permit.hold,
            code=refused.code,
            message=refused.message,
            reasons=() if worst is None else worst.reasons,
        )
        self.ledger.note(row)
