"""The metric families by name, the words of their labels, and their children.

Operators' dashboards and alerts rest on these names: they are added to, never renamed. Not here:
what moves a metric (`adapters.metrics`).
"""

import itertools
from bisect import bisect_left
from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from gateway.adapters.metric_files import Share

OTHER = "other"
OfAll = Literal["livesum", "max", "mostrecent"]

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gateway_requests_total": ("Exchanges that ended.", ("tenant", "model", "outcome")),
    "gateway_http_requests_total": ("Answers of any kind.", ("route", "method", "status")),
    "gateway_refusals_total": ("Requests refused by the gateway.", ("tenant", "reason")),
    "gateway_tokens_total": ("Tokens; the types are disjoint.", ("tenant", "model", "type")),
    "gateway_cost_usd_total": ("Cost of exchanges seen by this gateway.", ("tenant", "model")),
    "gateway_cached_saved_usd_total": (
        "What cached input would have cost beyond its price.",
        ("tenant", "model"),
    ),
    "gateway_clamped_total": ("Fields that a policy set.", ("tenant", "field")),
    "gateway_truncated_total": ("Responses cut by an output limit.", ("model", "limit")),
    "gateway_stream_aborts_total": ("Streams that did not end well.", ("side", "phase")),
    "gateway_upstream_attempts_total": ("Requests sent upstream.", ("upstream", "result")),
    "gateway_usage_missing_total": ("Exchanges without reported usage.", ("reason",)),
    "gateway_unpriced_requests_total": ("Exchanges without a cost.", ("model",)),
    "gateway_holds_expired_total": ("Holds whose response's end was not seen.", ("resolution",)),
    "gateway_alerts_total": ("Attempts to tell of a passed threshold.", ("result",)),
    "gateway_ledger_failures_total": ("Ledger batches that did not commit.", ()),
    "gateway_store_failures_total": ("Times the store of limits per minute was silent.", ()),
    "gateway_label_overflow_total": ("Label values folded into `other`.", ("label",)),
}
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "gateway_active_requests": ("Requests under way.", ("kind",)),
    "gateway_upstream_healthy": ("1 when the upstream answers.", ("upstream",)),
    "gateway_ledger_queue_depth": ("Postings that wait for the ledger.", ()),
    "gateway_journal_bytes": ("What the journal keeps for the database.", ()),
    "gateway_build_info": ("What runs; always 1.", ("version", "python")),
}
# What several processes say as one; all others are what those that live have together.
OF_ALL: dict[str, OfAll] = {
    "gateway_upstream_healthy": "mostrecent",
    "gateway_build_info": "max",
}
HISTOGRAMS: dict[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "gateway_request_duration_seconds": (
        "From a request's arrival to its settlement.",
        ("model",),
        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 300, 600),
    ),
    "gateway_time_to_first_token_seconds": (
        "From a request's arrival to the first output of its stream.",
        ("model",),
        (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 80),
    ),
    "gateway_time_per_output_token_seconds": (
        "Mean time between output tokens of a stream.",
        ("model",),
        (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 1),
    ),
    "gateway_overhead_seconds": (
        "What the gateway itself took.",
        ("stage",),
        (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    ),
    "gateway_ledger_batch_seconds": (
        "One transaction of the ledger.",
        (),
        (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5),
    ),
}
# Gauges that are read from the database at each scrape.
COSTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gateway_cost_usd": ("A tenant's own cost by the ledger, UTC.", ("tenant", "window")),
}
BUDGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gateway_budget_limit_usd": ("What a budget's current period allows.", ("tenant", "budget")),
    "gateway_budget_spent_usd": ("What is spent of a budget.", ("tenant", "budget")),
    "gateway_budget_held_usd": ("What is held of a budget.", ("tenant", "budget")),
    "gateway_budget_excess_usd": ("Cost past a hold or a lowered limit.", ("tenant", "budget")),
    "gateway_budget_reset_timestamp_seconds": (
        "When a budget's period ends.",
        ("tenant", "budget"),
    ),
}
METRIC_NAMES = frozenset({*COUNTERS, *GAUGES, *HISTOGRAMS, *COSTS, *BUDGETS})

TOKEN_TYPES = ("input", "input_cached", "input_cache_write", "output", "output_reasoning")
TRUNCATION_LIMITS = ("client", "policy", "budget", "upstream")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What a known tenant is refused for most often.
REFUSALS = (
    "invalid_request",
    "policy_denied",
    "model_not_priced",
    "overloaded",
    "ledger_unavailable",
)
# Children that can be told beforehand: each label's words, every combination.
BORN: dict[str, tuple[tuple[str, ...], ...]] = {
    "gateway_active_requests": (("stream", "whole", "draining", "background"),),
    "gateway_overhead_seconds": (("auth", "policy", "hold", "settle"),),
    "gateway_stream_aborts_total": (
        ("client", "upstream"),
        ("before_answer", "before_output", "output"),
    ),
    "gateway_usage_missing_total": (("usage_missing", "aborted"),),
    "gateway_holds_expired_total": (("retrieved", "worst_case", "void"),),
    "gateway_label_overflow_total": (("tenant", "model", "reason", "route", "upstream", "budget"),),
    "gateway_alerts_total": (("delivered", "failed"),),
    "gateway_ledger_failures_total": (),
    "gateway_store_failures_total": (),
    "gateway_ledger_queue_depth": (),
    "gateway_journal_bytes": (),
    "gateway_ledger_batch_seconds": (),
}

_Family = TypeVar("_Family", bound=MetricWrapperBase)


class LeanCounter(Counter):
    """A counter that is only asked once it has its labels, and knows no exemplars."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Add without asking whether that can be."""
        del exemplar
        self._value.inc(amount)


class LeanGauge(Gauge):
    """The same of a gauge."""

    def inc(self, amount: float = 1) -> None:
        """Add without asking whether that can be."""
        self._value.inc(amount)


class LeanHistogram(Histogram):
    """The same of a histogram, which finds its bucket by halves."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count without asking whether that can be."""
        del exemplar
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


class Children(dict[tuple[str, ...], _Family], Generic[_Family]):
    """Children by family name and label values, made when first asked for and kept.

    The library finds a child under a lock and after checking its labels; this is a dictionary.
    """

    def __init__(self, families: dict[str, _Family]) -> None:
        super().__init__()
        self._families = families
        self.in_order: list[tuple[tuple[str, ...], _Family]] = []  # to be read while it grows

    def __missing__(self, key: tuple[str, ...]) -> _Family:
        name, *values = key
        family = self._families[name]
        child = self.setdefault(key, family.labels(*values) if values else family)
        self.in_order.append((key, child))
        return child


class Families:
    """Every family once, in a registry of its own.

    `share` is this process' part, where several are seen as one.
    """

    def __init__(self, share: Share | None = None) -> None:
        self.registry = own = CollectorRegistry()
        if share is not None:
            share.open()
        self.counters: Children[Counter] = Children(
            {
                name: LeanCounter(name, text, labels, registry=own)
                for name, (text, labels) in COUNTERS.items()
            }
        )
        self.gauges: Children[Gauge] = Children(
            {
                name: LeanGauge(
                    name,
                    text,
                    labels,
                    registry=own,
                    multiprocess_mode=OF_ALL.get(name, "livesum"),
                )
                for name, (text, labels) in GAUGES.items()
            }
        )
        self.histograms: Children[Histogram] = Children(
            {
                name: LeanHistogram(name, text, labels, buckets=buckets, registry=own)
                for name, (text, labels, buckets) in HISTOGRAMS.items()
            }
        )
        for name, words in BORN.items():
            self.bear(name, *words)

    def bear(self, name: str, *words: tuple[str, ...]) -> None:
        """Have a child at 0 for every combination of the labels' words."""
        for values in itertools.product(*words):
            if name in COUNTERS:
                self.counters[name, *values]
            elif name in GAUGES:
                self.gauges[name, *values]
            else:
                self.histograms[name, *values]


class Cap:
    """The values of one label, at most so many: the rest is `other`, and counted."""

    def __init__(self, label: str, values_max: int, overflow: Counter) -> None:
        self.label = label
        self._values_max = values_max
        self._values: set[str] = set()
        self._overflow = overflow

    def __call__(self, value: str) -> str:
        """The value itself, or `other`."""
        if self._takes(value):
            return value
        self._overflow.inc()
        return OTHER

    def uncounted(self, value: str) -> str:
        """The same for what comes again at every scrape: it would be counted each time."""
        return value if self._takes(value) else OTHER

    def _takes(self, value: str) -> bool:
        if value in self._values:
            return True
        if len(self._values) < self._values_max:
            self._values.add(value)
            return True
        return False
