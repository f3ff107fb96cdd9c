"""One request with its response, summed up: the only record that ledger, metrics and log read.

`Hold` is what is known and durable before the first byte goes upstream; `Exchange` is what is known
at the end. Not here: how one becomes the other (`core.life`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from gateway.core.budget import Leg
from gateway.core.cost import CostLine
from gateway.core.prices import ModelPrice
from gateway.core.tool_use import NO_TOOLS, ToolUse
from gateway.core.trace import Trace
from gateway.core.usage import Usage

STORE_TAG = "gw_store"  # "false" where the request asked the upstream not to keep its response
# Of a hold whose response outlives its connection: within how long it is wanted, as asked.
BACKGROUND_TAG = "gw_background"
SOONEST = "soonest"
USAGE_TAG = "gw_usage_event"  # "left_out" where the client is spared what it did not ask for


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    ABORTED = "aborted"  # no terminal event was seen


class Basis(StrEnum):
    """Where an entry's usage comes from."""

    REPORTED = "reported"
    RETRIEVED = "retrieved"  # asked for later
    WORST_CASE = "worst_case"  # could not be learned: posted at the hold
    NONE = "none"  # nothing was used


@dataclass(slots=True, kw_only=True)  # not frozen, for its legs: a copy would cost every request
class Hold:
    """What may be owed, written down before it can be. Times are Unix microseconds."""

    request_id: str
    tenant: str
    key_id: str
    created_at_us: int
    hold_pusd: int
    endpoint: str
    model: str
    service_tier: str | None
    is_stream: bool
    max_output_tokens: int | None = None  # as sent
    price: ModelPrice | None  # in force at admission; settling later uses the same card
    tags: dict[str, str] = field(default_factory=dict)
    legs: tuple[Leg, ...] | None = None  # as the ledger says when it is placed
    trace: Trace | None = None  # of this process alone: it is not written down

    @property
    def is_stored(self) -> bool:
        """Whether the upstream keeps the response, so that it can be asked for it later."""
        return self.tags.get(STORE_TAG) != "false"

    @property
    def is_background(self) -> bool:
        """Whether the upstream goes on with the response when nobody is connected."""
        return BACKGROUND_TAG in self.tags

    @property
    def background_window(self) -> str | None:
        """The completion window that was asked for, where it has a price of its own."""
        return window_in(self.tags)


# A struct, as one is made for each request, and a frozen dataclass takes 15 times as long to make.
class Exchange(Struct, frozen=True, kw_only=True):
    """What became of a hold. Durations in seconds, from the request's arrival."""

    hold: Hold
    settled_at_us: int
    outcome: Outcome
    basis: Basis
    cost_pusd: int | None  # None: met something without a price; the hold stays spent
    price: ModelPrice | None = None  # that priced it, where not the hold's: another model answered
    lines: tuple[CostLine, ...] = ()
    usage: Usage | None = None
    tools: ToolUse = NO_TOOLS
    response_id: str | None = None
    model: str | None = None  # as served
    service_tier: str | None = None  # as served
    upstream_request_id: str | None = None
    http_status: int | None = None
    reason: str | None = None
    problem: str | None = None  # what kept the cost from being exact, or None
    client_gone: bool = False
    recoverable: bool = False  # the upstream may still be asked by response id
    duration_seconds: float = 0.0
    first_byte_seconds: float | None = None
    first_output_seconds: float | None = None
    events: int = 0
    item_ids: tuple[str, ...] = ()  # of its output
    container_ids: tuple[str, ...] = ()  # that it ran tools in

    @property
    def tenant(self) -> str:
        """Who pays."""
        return self.hold.tenant

    @property
    def priced_model(self) -> str | None:
        """The price book's name of the model: the only form in which a model becomes a label."""
        price = self.price or self.hold.price
        return None if price is None else price.name

    @property
    def price_version(self) -> str | None:
        """Of the price book whose card priced it."""
        price = self.price or self.hold.price
        return None if price is None else price.version


def unseen(hold: Hold, response_id: str | None, at_us: int, *, reason: str | None) -> Exchange:
    """What is owed for a response whose end was not seen, if nothing more is learned."""
    return Exchange(
        hold=hold,
        settled_at_us=at_us,
        outcome=Outcome.ABORTED,
        basis=Basis.WORST_CASE,
        # Without a price the hold is no worst case, and the cost is unknown, not the hold.
        cost_pusd=None if hold.price is None else hold.hold_pusd,
        response_id=response_id,
        reason=reason,
        recoverable=response_id is not None and hold.is_stored,
    )


def void(hold: Hold, at_us: int, *, reason: str) -> Exchange:
    """A hold that was not used: nothing was sent."""
    return Exchange(
        hold=hold,
        settled_at_us=at_us,
        outcome=Outcome.FAILED,
        basis=Basis.NONE,
        cost_pusd=0,
        reason=reason,
    )


def window_in(tags: Mapping[str, str]) -> str | None:
    """The completion window that a response was asked for with; None for the soonest."""
    window = tags.get(BACKGROUND_TAG)
    return None if window == SOONEST else window
