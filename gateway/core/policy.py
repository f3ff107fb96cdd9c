"""What a request may ask, before anything is sent. Not here: who asks, or what it may cost.

Tenants' own policies join here; today's is the gateway's one policy for all.
"""

from dataclasses import dataclass

from gateway.core.errors import PolicyDenied, Unpriced
from gateway.core.prices import ModelPrice
from gateway.core.request import ResponseRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`is_unpriced_allowed`: a model without a price is relayed, and its entry waits for one."""

    is_unpriced_allowed: bool = False

    def admit(self, request: ResponseRequest, price: ModelPrice | None) -> None:
        """Return when the request may be made; raises PolicyDenied or Unpriced when not."""
        if request.is_background:
            raise PolicyDenied(
                "Background responses are not served by this gateway: their cost would only be "
                "known after the connection is gone. Send the request without 'background'.",
                code="background_not_allowed",
                param="background",
            )
        if price is None and not self.is_unpriced_allowed:
            raise Unpriced(
                f"No price is known for the model {request.model!r}, so its cost could not be "
                "accounted for. Ask for a model listed by `gateway prices list`, or have the "
                "operator add its price.",
                param="model",
            )
