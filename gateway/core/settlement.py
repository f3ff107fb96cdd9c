"""What an observed response comes to: outcome, basis and cost. Pure; the rules of money meet here.

Two rules stand above the others. What was reported is priced by the served model and tier. What
could not be learned is posted at the hold, or has no cost when no price is known: never zero.
"""

from msgspec import Struct

from gateway.core.compaction import COMPACT
from gateway.core.cost import WINDOW_UNPRICED, CostLine
from gateway.core.exchange import Basis, Hold, Outcome
from gateway.core.observer import Observation
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice

SUCCESSES = range(200, 300)
# What a proxy on the way answers when it lost an upstream that may be at work, and may bill it.
_UNCERTAIN = frozenset({500, 502, 504, 520, 524})

_OUTCOMES = {
    "response.completed": Outcome.COMPLETED,
    "response.incomplete": Outcome.INCOMPLETE,
    "response.failed": Outcome.FAILED,
    "response.cancelled": Outcome.CANCELLED,
}


class Settlement(Struct, frozen=True, kw_only=True):
    """How an exchange ended and what it cost. `cost_pusd` None: something has no price."""

    outcome: Outcome
    basis: Basis
    cost_pusd: int | None
    price: ModelPrice | None = None
    lines: tuple[CostLine, ...] = ()
    problem: str | None = None


def nothing_used() -> Settlement:
    """The upstream refused, or was never reached: nothing is owed."""
    return Settlement(outcome=Outcome.FAILED, basis=Basis.NONE, cost_pusd=0)


def worst_case(hold: Hold, outcome: Outcome, problem: str | None) -> Settlement:
    """The truth is not to be had: the hold is what is owed, or unknown if it had no price."""
    cost_pusd = None if hold.price is None else hold.hold_pusd
    return Settlement(outcome=outcome, basis=Basis.WORST_CASE, cost_pusd=cost_pusd, problem=problem)


def settlement(hold: Hold, observation: Observation, *, status: int, book: PriceBook) -> Settlement:
    """Decide by what was seen of an answer with this HTTP status."""
    if status in _UNCERTAIN and observation.reason is None:
        return worst_case(hold, Outcome.FAILED, "answer_unknown")
    if status not in SUCCESSES:
        return nothing_used()
    outcome = _OUTCOMES.get(observation.terminal or "", Outcome.ABORTED)
    if outcome is Outcome.ABORTED or observation.problem:
        return worst_case(hold, outcome, observation.problem)
    if observation.usage is None:
        return _without_usage(hold, outcome, observation)
    if observation.is_suspect and not _counts_anything(observation):
        return worst_case(hold, outcome, "usage_suspect")
    return _reported(hold, outcome, observation, book)


def _without_usage(hold: Hold, outcome: Outcome, observation: Observation) -> Settlement:
    # Only a failure before any output has used nothing. A cancelled response has: the API reports
    # no usage for it although tokens were generated.
    if outcome is Outcome.FAILED and not observation.has_output:
        return Settlement(outcome=outcome, basis=Basis.NONE, cost_pusd=0)
    return worst_case(hold, outcome, "usage_missing")


def _counts_anything(observation: Observation) -> bool:
    usage = observation.usage
    return usage is not None and (usage.input_tokens > 0 or usage.output_tokens > 0)


def _reported(
    hold: Hold, outcome: Outcome, observation: Observation, book: PriceBook
) -> Settlement:
    price = _served_price(hold, observation.model, book)
    if price is None or observation.usage is None:
        is_by_window = hold.background_window and book.find(hold.model, hold.created_at_us)
        problem = WINDOW_UNPRICED if is_by_window else "model_unpriced"
        return Settlement(outcome=outcome, basis=Basis.REPORTED, cost_pusd=None, problem=problem)
    if observation.tools.images is not None and not price.images:
        price = book.with_images(price, hold.created_at_us)  # by a tool that the request hid
    cost = price.cost(
        usage=observation.usage,
        tools=observation.tools,
        service_tier=tier_of(
            hold.endpoint, served=observation.service_tier, asked=hold.service_tier
        ),
    )
    return Settlement(
        outcome=outcome,
        basis=Basis.REPORTED,
        cost_pusd=cost.cost_pusd,
        price=price,
        lines=cost.lines,
        problem=cost.problem or ("usage_suspect" if observation.is_suspect else None),
    )


def tier_of(endpoint: str, *, served: str | None, asked: str | None) -> str | None:
    """The tier that a cost goes by: as served; where answers of a kind never tell it, as asked."""
    return asked if served is None and endpoint == COMPACT else served


def _served_price(hold: Hold, served: str | None, book: PriceBook) -> ModelPrice | None:
    """The price of the model that answered, as it was at admission."""
    if served is None or served == hold.model:
        return hold.price
    price = book.find(served, hold.created_at_us, window=hold.background_window)
    if price is not None and hold.price is not None and price.name == hold.price.name:
        return hold.price  # a dated snapshot of the same model: the pinned card stands
    return price
