"""Hop 3: a body becomes a hold, or is refused. Reads the clock and the policy in force."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.core.admit import POLICY_TAG, Admitted, Change, admit, require_price, told
from gateway.core.bound import Bound, BoundInput, bound
from gateway.core.exchange import CLIENT_REQUEST_TAG, STORE_TAG, Hold
from gateway.core.inheritance import Effective
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice, PriceBook
from gateway.core.request import ResponseRequest
from gateway.core.tenant import Tenant


class PolicySource(Protocol):
    """Where the policy in force for a key is found."""

    async def find(self, tenant: Tenant) -> Effective: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A request as it may be sent, and how it is to be treated."""

    hold: Hold
    body: bytes  # the client's own, unless the policy changed it
    changes: tuple[Change, ...]
    cancels_on_disconnect: bool
    attempts_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A request as it may be made, and its worst case; without a price neither can be known."""

    admitted: Admitted
    price: ModelPrice | None
    bound: Bound | None


def decide(
    body: bytes, *, policy: Policy, book: PriceBook, is_unpriced_allowed: bool, now_us: int
) -> Decision:
    """What a policy makes of a body at a moment. Raises InvalidRequest and its kinds."""
    admitted = admit(ResponseRequest.parse(body), policy)
    price = book.find(admitted.request.model, now_us)
    if policy.unpriced is not None:
        is_unpriced_allowed = policy.unpriced == "allow"
    require_price(admitted.request, price, is_unpriced_allowed=is_unpriced_allowed)
    if price is None:
        return Decision(admitted=admitted, price=None, bound=None)
    asked = BoundInput(
        request=admitted.request,
        is_unbounded_allowed=policy.unbounded == "allow",
        set_by_policy=tuple([change.field for change in admitted.changes]),
    )
    return Decision(admitted=admitted, price=price, bound=bound(asked, price))


class Admission:
    """Applies the policy to a request, prices it at its arrival and puts its worst case aside."""

    def __init__(
        self,
        *,
        book: PriceBook,
        policies: PolicySource,
        is_unpriced_allowed: bool,
        now_us: Callable[[], int],  # the database's clock: prices and periods go by it
    ) -> None:
        self._now_us = now_us
        self._book = book
        self._policies = policies
        self._is_unpriced_allowed = is_unpriced_allowed

    async def admit(
        self, body: bytes, *, tenant: Tenant, request_id: str, client_request_id: str = ""
    ) -> Permit:
        """The hold that the ledger must make durable. Raises InvalidRequest and its kinds."""
        policy = (await self._policies.find(tenant)).policy
        now_us = self._now_us()
        decision = decide(
            body,
            policy=policy,
            book=self._book,
            is_unpriced_allowed=self._is_unpriced_allowed,
            now_us=now_us,
        )
        admitted, request = decision.admitted, decision.admitted.request
        hold = Hold(
            request_id=request_id,
            tenant=tenant.path,
            key_id=tenant.key_id,
            created_at_us=now_us,
            hold_pusd=0 if decision.bound is None else decision.bound.hold_pusd,
            endpoint="responses",
            model=request.model,
            service_tier=request.service_tier,
            is_stream=request.is_stream,
            price=decision.price,
            tags=_tags(admitted, client_request_id),
        )
        return Permit(
            hold=hold,
            body=body if admitted.body is None else admitted.body,
            changes=admitted.changes,
            cancels_on_disconnect=policy.on_disconnect == "cancel",
            attempts_max=policy.attempts_max or 1,
        )


def _tags(admitted: Admitted, client_request_id: str) -> dict[str, str]:
    tags = {POLICY_TAG: told(admitted.changes)} if admitted.changes else {}
    if admitted.request.is_stored is False:
        tags[STORE_TAG] = "false"
    return {**tags, CLIENT_REQUEST_TAG: client_request_id} if client_request_id else tags
