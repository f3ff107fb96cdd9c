"""Where money is short: wait, count, fit or refuse, in the order that the policy asks for."""

from typing import Any

import pytest

from gateway.adapters.rows import Row
from gateway.app.admission import Permit
from gateway.app.holding import Holding
from gateway.core.budget import Terms
from gateway.core.errors import BudgetExhausted, BudgetHeld, GatewayError, Overloaded
from gateway.core.exchange import Hold
from gateway.core.policy import Policy
from gateway.core.request import ResponseRequest
from tests.app.test_admission import OUTPUT_PUSD, permitted

LEGS = (("1-org", 0),)


class Wallet:
    """A ledger that has so much left, and says what it was asked."""

    def __init__(self, left_pusd: int, *, error: type[Any] = BudgetHeld) -> None:
        self.left_pusd = left_pusd
        self.asked: list[tuple[int, bool]] = []
        self.noted: list[Row] = []
        self._error = error

    async def hold(self, hold: Hold, terms: Terms) -> Hold:
        self.asked.append((hold.hold_pusd, terms.may_wait))
        if hold.hold_pusd <= self.left_pusd:
            hold.legs = LEGS
            return hold
        if self._error is BudgetExhausted:
            raise BudgetExhausted("spent", left_pusd=self.left_pusd, resets_in_seconds=1)
        raise self._error("held", left_pusd=self.left_pusd)

    def note(self, refusal: Row) -> None:
        self.noted.append(refusal)


class Counted:
    """An upstream that counts so many tokens, or does not answer."""

    def __init__(self, tokens: int | None) -> None:
        self._tokens = tokens

    async def count(self, request: ResponseRequest) -> int | None:
        return self._tokens


async def placed(permit: Permit, wallet: Wallet, tokens: int | None = None) -> Permit:
    holding = Holding(ledger=wallet, counter=Counted(tokens))  # type: ignore[arg-type]  # a fake
    return await holding.place(permit)


async def permit_for(**manners: Any) -> Permit:
    return await permitted(policy=Policy(**manners), max_output_tokens=1000)


async def test_what_fits_is_placed_at_once() -> None:
    permit = await permit_for()
    wallet = Wallet(permit.hold.hold_pusd)
    assert (await placed(permit, wallet)).hold.legs == LEGS
    assert wallet.asked == [(permit.hold.hold_pusd, True)]
    assert not wallet.noted


@pytest.mark.parametrize("error", [BudgetHeld, BudgetExhausted])
async def test_what_does_not_fit_is_refused_and_noted(error: type[GatewayError]) -> None:
    permit = await permit_for()
    wallet = Wallet(1, error=error)
    with pytest.raises(error):
        await placed(permit, wallet)
    assert len(wallet.asked) == 1
    ((request_id, *_, code, document),) = wallet.noted
    assert (request_id, code) == ("req-1", error.default_code)
    assert "output \\u2264 1,000 tokens from your request" in str(document)


async def test_output_is_fitted_before_anybody_waits() -> None:
    permit = await permit_for(fit="clamp")
    wallet = Wallet(permit.hold.hold_pusd - 500 * OUTPUT_PUSD)
    fitted = await placed(permit, wallet)
    assert fitted.hold.hold_pusd <= wallet.left_pusd
    assert wallet.asked == [(permit.hold.hold_pusd, False), (fitted.hold.hold_pusd, True)]
    assert [change.field for change in fitted.changes] == ["max_output_tokens"]
    assert not wallet.noted


async def test_what_cannot_be_fitted_waits_as_it_is() -> None:
    permit = await permit_for(fit="clamp")
    wallet = Wallet(1)
    with pytest.raises(BudgetHeld):
        await placed(permit, wallet)
    assert wallet.asked == [(permit.hold.hold_pusd, False), (permit.hold.hold_pusd, True)]


async def test_a_count_comes_before_less_output() -> None:
    permit = await permit_for(fit="clamp", input_count="upstream")
    wallet = Wallet(permit.hold.hold_pusd - 1)
    counted = await placed(permit, wallet, tokens=3)
    assert not counted.changes
    assert counted.body == permit.body
    assert counted.hold.hold_pusd < wallet.left_pusd


async def test_an_upstream_that_does_not_count_leaves_the_bound() -> None:
    permit = await permit_for(input_count="upstream")
    wallet = Wallet(1, error=BudgetExhausted)
    with pytest.raises(BudgetExhausted):
        await placed(permit, wallet)
    assert wallet.asked == [(permit.hold.hold_pusd, False), (permit.hold.hold_pusd, True)]


async def test_what_is_no_matter_of_money_is_not_noted() -> None:
    class Full(Wallet):
        async def hold(self, hold: Hold, terms: Terms) -> Hold:
            raise Overloaded

    wallet = Full(0)
    with pytest.raises(Overloaded):
        await placed(await permit_for(), wallet)
    assert not wallet.noted
