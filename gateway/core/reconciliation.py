"""What follows when an upstream is asked for a response whose end was not seen. Pure.

An exchange comes here as it is owed if nothing more is learned: at its hold. Here is decided when
it is asked for again, when that is enough, and what it then comes to. Not here: the asking.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from gateway.core.exchange import Basis, Exchange
from gateway.core.observation import Observation, kept_word
from gateway.core.price_book import PriceBook
from gateway.core.settlement import settlement

PAUSE_SECONDS_MIN = 2.0
PAUSE_SECONDS_MAX = 300.0
AGE_PER_PAUSE = 10

FOUND = 200
# The upstream does not say that it has no such response: it may tell later. So may one that fails.
_UNDECIDED = frozenset({401, 403, 407, 408, 409, 425, 429})
_FAILURES = range(500, 600)
_NOT_OFFERED = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the upstream answered to the question for one response."""

    status: int
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a response is asked for, from the first question on."""

    seconds_max: float  # where it has not ended yet, or the upstream does not answer
    missing_seconds_max: float  # where the upstream has none: it may keep it only when it has ended
    background_seconds_max: float  # where it goes on though nobody is connected


def pause_seconds(age_seconds: float) -> float:
    """How long to wait before it is asked for again."""
    return min(max(age_seconds / AGE_PER_PAUSE, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)


def resolved(
    exchange: Exchange,
    told: Told | None,  # None: no answer
    *,
    age_seconds: float,
    patience: Patience,
    book: PriceBook,
) -> Exchange | None:
    """The exchange as it is to be posted; None while it may still be learned."""
    known = None if told is None else learned(exchange, told, book)
    if known is not None:
        return known
    is_missing = told is not None and _is_missing(told)
    if age_seconds < _limit_seconds(exchange, patience, is_missing=is_missing):
        return None
    return replace(exchange, recoverable=not is_missing)


def learned(exchange: Exchange, told: Told, book: PriceBook) -> Exchange | None:
    """The exchange as the response says that it ended; None where it says nothing of an end."""
    if told.status != FOUND or told.observation.terminal is None:
        return None
    return _learned(exchange, told.observation, book)


def concluded(exchange: Exchange, at_us: int) -> Exchange:
    """The exchange as it is posted at a moment. In the background, it has taken until then."""
    if not exchange.hold.is_background:
        return replace(exchange, settled_at_us=at_us)
    seconds = max(0, at_us - exchange.hold.created_at_us) / 1_000_000
    return replace(exchange, settled_at_us=at_us, duration_seconds=seconds)


def _limit_seconds(exchange: Exchange, patience: Patience, *, is_missing: bool) -> float:
    if is_missing:
        return patience.missing_seconds_max
    is_background = exchange.hold.is_background
    return patience.background_seconds_max if is_background else patience.seconds_max


def _is_missing(told: Told) -> bool:
    if told.status == FOUND:
        return told.observation.status is None  # no response: a page, an error, a stream
    if told.status == _NOT_OFFERED:
        return True
    return told.status not in _UNDECIDED and told.status not in _FAILURES


def _learned(exchange: Exchange, seen: Observation, book: PriceBook) -> Exchange:
    """What happened here stays; what the response says of itself is put in its place."""
    verdict = settlement(exchange.hold, seen, status=FOUND, book=book)
    is_exact = verdict.basis is Basis.REPORTED
    return replace(
        exchange,
        outcome=verdict.outcome,
        basis=Basis.RETRIEVED if is_exact else verdict.basis,
        cost_pusd=verdict.cost_pusd,
        price=verdict.price,
        lines=verdict.lines,
        problem=verdict.problem,
        usage=seen.usage,
        tools=seen.tools,
        model=kept_word(seen.model),
        service_tier=kept_word(seen.service_tier),
        reason=kept_word(seen.reason) or exchange.reason,
        recoverable=False,
        item_ids=seen.item_ids,
        container_ids=seen.container_ids,
    )
