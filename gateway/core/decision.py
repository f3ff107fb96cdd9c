"""What a policy makes of a body: a request as it may be made, with its price and its worst case.

Not here: what a policy does to a request (`admit`), how the worst case comes about (`bound`), or
what budgets say to it.
"""

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.admit import Admitted, admit, lowered, require_price
from gateway.core.bound import Bound, BoundInput, bound, output_that_fits
from gateway.core.policy import Policy
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice
from gateway.core.request import Request, ResponseRequest
from gateway.core.tool_use import IMAGE_TOOL


class Decision(Struct, frozen=True, kw_only=True):
    """A request as it may be made, and its worst case; without a price neither can be known."""

    admitted: Admitted
    policy: Policy
    price: ModelPrice | None
    asked: BoundInput
    bound: Bound | None

    @property
    def unbounded(self) -> str | None:
        """What would give the request a bound; None where it has one, or needs none."""
        if self.policy.unbounded == "allow":
            return None
        if self.bound is None:
            return "The model of this request has no price, so its cost has no upper bound."
        if not self.bound.unbounded:
            return None
        first = self.bound.unbounded[0]
        return f"The cost of this request has no upper bound: {first.sentence}."

    def bounded_by(self, asked: BoundInput) -> "Decision":
        """The same with its worst case anew."""
        worst = None if self.price is None else bound(asked, self.price)
        return replace(self, asked=asked, bound=worst)

    @property
    def fits_output(self) -> bool:
        """Whether its output may be lowered to what a budget has left."""
        return self.policy.fit == "clamp" and self.price is not None

    def fitted(self, left_pusd: int) -> "Decision | None":
        """With as much output as this money can pay; None where that is too little."""
        assert self.price is not None
        tokens = output_that_fits(self.asked, self.price, left_pusd)
        if tokens is None:
            return None
        admitted = lowered(self.admitted, tokens)
        asked = replace(
            self.asked,
            request=admitted.request,
            set_by_policy=tuple([change.field for change in admitted.changes]),
        )
        return replace(self, admitted=admitted).bounded_by(asked)


def decide(
    body: bytes,
    *,
    policy: Policy,
    book: PriceBook,
    is_unpriced_allowed: bool,
    now_us: int,
    form: type[Request] = ResponseRequest,
) -> Decision:
    """What a policy makes of a body at a moment. Raises InvalidRequest and its kinds."""
    admitted = admit(form.parse(body), policy)
    price = book.find(admitted.request.model, now_us, window=admitted.request.window)
    if price is not None and IMAGE_TOOL in admitted.request.hosted_tools:
        price = book.with_images(price, now_us)
    if policy.unpriced is not None:
        is_unpriced_allowed = policy.unpriced == "allow"
    require_price(admitted.request, price, is_unpriced_allowed=is_unpriced_allowed)
    asked = BoundInput(
        request=admitted.request,
        is_unbounded_allowed=policy.unbounded == "allow",
        set_by_policy=tuple([change.field for change in admitted.changes]),
    )
    blank = Decision(admitted=admitted, policy=policy, price=price, asked=asked, bound=None)
    return blank.bounded_by(asked)
