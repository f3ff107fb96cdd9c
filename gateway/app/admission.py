"""Hop 3: a body becomes a hold, or is refused. Reads the clock, and nothing else of the world."""

import time

from gateway.core.bound import BoundInput, bound
from gateway.core.exchange import Hold
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice, PriceBook
from gateway.core.request import ResponseRequest
from gateway.core.tenant import Tenant


class Admission:
    """Prices a request at its arrival and puts its worst case aside."""

    def __init__(self, *, book: PriceBook, policy: Policy) -> None:
        self._book = book
        self._policy = policy

    def admit(self, body: bytes, *, tenant: Tenant, request_id: str) -> Hold:
        """The hold that the ledger must make durable. Raises InvalidRequest and its kinds."""
        request = ResponseRequest.parse(body)
        now_us = time.time_ns() // 1000
        price = self._book.find(request.model, now_us)
        self._policy.admit(request, price)
        return Hold(
            request_id=request_id,
            tenant=tenant.path,
            key_id=tenant.key_id,
            created_at_us=now_us,
            hold_pusd=0 if price is None else _worst_case_pusd(request, price),
            endpoint="responses",
            model=request.model,
            service_tier=request.service_tier,
            is_stream=request.is_stream,
            price=price,
        )


def _worst_case_pusd(request: ResponseRequest, price: ModelPrice) -> int:
    worst = BoundInput(
        body_bytes=request.body_bytes,
        max_output_tokens=request.max_output_tokens,
        is_input_unknown=request.is_input_unknown,
        max_tool_calls=request.max_tool_calls,
        has_hosted_tools=request.has_hosted_tools,
    )
    return bound(worst, price).hold_pusd
