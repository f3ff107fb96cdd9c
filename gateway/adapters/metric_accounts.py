"""What a tenant counts with a model: the children of an account, found once, and their increases.

Money is a float here, for Prometheus has no other numbers. Not here: which labels an account has,
and what is counted of an exchange beside it (`metrics`).
"""

from collections.abc import Iterator

from prometheus_client import Counter, Histogram

from gateway.adapters.metric_families import TOKEN_TYPES, Children
from gateway.core.exchange import Exchange, Outcome
from gateway.core.money import PUSD_PER_USD
from gateway.core.usage import Usage


class Account:
    """The children that every exchange of a tenant with a model counts in."""

    def __init__(
        self,
        counters: Children[Counter],
        histograms: Children[Histogram],
        tenant: str,
        model: str,
    ) -> None:
        self.model = model
        self._requests = {
            outcome: counters["gateway_requests_total", tenant, model, outcome.value]
            for outcome in Outcome
        }
        self._tokens = {
            kind: counters["gateway_tokens_total", tenant, model, kind] for kind in TOKEN_TYPES
        }
        self._cost_usd = counters["gateway_cost_usd_total", tenant, model]
        self._saved_usd = counters["gateway_cached_saved_usd_total", tenant, model]
        self._duration = histograms["gateway_request_duration_seconds", model]
        self._first_token = histograms["gateway_time_to_first_token_seconds", model]
        self._per_token = histograms["gateway_time_per_output_token_seconds", model]

    def count(self, exchange: Exchange) -> None:
        """Count a settled exchange."""
        self._requests[exchange.outcome].inc()
        if exchange.usage is not None:
            for kind, tokens in _tokens(exchange.usage):
                if tokens:
                    self._tokens[kind].inc(tokens)
        if exchange.cost_pusd is not None:
            self._cost_usd.inc(exchange.cost_pusd / PUSD_PER_USD)
        if saved_pusd := _saved_pusd(exchange):
            self._saved_usd.inc(saved_pusd / PUSD_PER_USD)
        self._duration.observe(exchange.duration_seconds)
        if exchange.hold.is_stream and exchange.first_output_seconds is not None:
            self._time_output(exchange, exchange.first_output_seconds)

    def _time_output(self, exchange: Exchange, first: float) -> None:
        self._first_token.observe(first)
        tokens = exchange.usage.output_tokens if exchange.usage else 0
        if tokens > 1:
            self._per_token.observe((exchange.duration_seconds - first) / (tokens - 1))


def _tokens(usage: Usage) -> Iterator[tuple[str, int]]:
    """The counts by `TOKEN_TYPES`, which add up to input and output."""
    uncached = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    yield "input", uncached
    yield "input_cached", usage.cached_tokens
    yield "input_cache_write", usage.cache_write_tokens
    yield "output", usage.output_tokens - usage.reasoning_tokens
    yield "output_reasoning", usage.reasoning_tokens


def _saved_pusd(exchange: Exchange) -> int:
    """What its cached text would have cost as input beyond what it cost; never below 0."""
    price, usage = exchange.price or exchange.hold.price, exchange.usage
    if price is None or usage is None or not usage.cached_tokens:
        return 0
    rates = price.rates(service_tier=exchange.service_tier, input_tokens=usage.input_tokens)
    if rates is None or rates.input is None:
        return 0
    return sum(
        line.quantity * max(rates.input - line.unit_price_pusd, 0)
        for line in exchange.lines
        if line.meter == "input_cached"
    )
