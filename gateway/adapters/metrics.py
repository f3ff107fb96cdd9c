"""Exchanges to Prometheus. Rules of labels: a label is a word of ours, never one of a client's.

Models by the price book's names, tenants up to a cap, routes as templates; children exist at 0
before the first increase, so that it is seen. Money is a float here and nowhere else. Not here:
names and words (`metric_families`), what the database is asked (`metric_readings`), who calls when.
"""

import platform
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gateway.adapters.metric_accounts import Account
from gateway.adapters.metric_families import (
    BUDGETS,
    COSTS,
    METHODS,
    METRIC_NAMES,
    OTHER,
    REFUSALS,
    TOKEN_TYPES,
    TRUNCATION_LIMITS,
    Cap,
    Families,
)
from gateway.adapters.metric_files import Share
from gateway.adapters.metric_merge import Merged
from gateway.adapters.metric_readings import Readings, Standings, Totals, budgets, costs
from gateway.adapters.metric_text import Text
from gateway.core.admit import BUDGET_TAG, CHANGEABLE, OUTPUT_LIMITS, POLICY_TAG
from gateway.core.exchange import Basis, Exchange, Outcome

__all__ = ["METRIC_NAMES", "Batch", "Metrics"]

MODELS_MAX = 200
BUDGETS_MAX = 500
WORDS_MAX = 50  # of a label whose words come from other parts of the program


class Batch(Protocol):
    """What the ledger tells of one transaction."""

    @property
    def duration_seconds(self) -> float: ...
    @property
    def is_committed(self) -> bool: ...


class Metrics:
    """The sink of settled exchanges, and the few counters that no exchange tells."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(
        self,
        *,
        version: str,
        tenants_max: int = 100,
        totals: Totals | None = None,
        standings: Standings | None = None,
        share: Share | None = None,
    ) -> None:
        # They double the series, and nobody asks for them.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library forgot its types
        families = Families(share)
        self._merged = None if share is None else Merged(share.folder)
        self._text = Text(self._merged or families)
        self._scrape = threading.Lock()
        self._registry = CollectorRegistry()
        self._bear = families.bear
        self._counters = families.counters
        self._gauges = families.gauges
        self._histograms = families.histograms
        self._tenant = self._cap("tenant", tenants_max)
        self._model = self._cap("model", MODELS_MAX)
        self._reason = self._cap("reason", WORDS_MAX)
        self._route = self._cap("route", WORDS_MAX)
        self._upstream = self._cap("upstream", WORDS_MAX)
        self._known: set[tuple[str, ...]] = set()
        self._accounts: dict[tuple[str, str | None], Account] = {}
        self._healthy: dict[str, bool] = {}
        self._watched: list[tuple[Gauge, Callable[[], int]]] = []
        self._gauges["gateway_build_info", version, platform.python_version()].set(1)
        if totals is not None:
            read = partial(costs, totals, self._tenant)
            self._registry.register(Readings(COSTS, read, self.ledger_failed))
        if standings is not None:
            read = partial(budgets, standings, self._tenant, self._cap("budget", BUDGETS_MAX))
            self._registry.register(Readings(BUDGETS, read, self.ledger_failed))

    def __call__(self, exchange: Exchange) -> None:
        """Count a settled exchange."""
        account = self._account_of(exchange.hold.tenant, exchange.priced_model or OTHER)
        account.count(exchange)
        if exchange.usage is None and exchange.basis is not Basis.NONE:
            reason = self._reason(exchange.problem or exchange.outcome.value)
            self._counters["gateway_usage_missing_total", reason].inc()
        if exchange.cost_pusd is None:
            self._counters["gateway_unpriced_requests_total", account.model].inc()
        if exchange.outcome is Outcome.INCOMPLETE and exchange.reason == "max_output_tokens":
            limit = _truncated_by(exchange)
            self._counters["gateway_truncated_total", account.model, limit].inc()
        if exchange.hold.is_stream and (side := _aborted_by(exchange)):
            self._counters["gateway_stream_aborts_total", side, _phase(exchange)].inc()

    def tenant_known(self, tenant: str) -> None:
        """Bear what a tenant will count who is there before any request."""
        self._bear_tenant(self._tenant.uncounted(tenant))

    def tenant_seen(self, tenant: str, model: str | None = None) -> tuple[str, str]:
        """Bear what a tenant will count, with a model of the price book; returns both labels."""
        if (tenant, model) in self._accounts:  # its labels are its own, and it has all
            return tenant, model or OTHER
        labels = self._tenant(tenant), self._model(model or OTHER)
        self._bear_tenant(labels[0])
        if model is not None and labels not in self._known:
            self._known.add(labels)
            self._bear_account(labels[:1], labels[1:])
        return labels

    def refused(self, tenant: str, reason: str) -> None:
        """A request that went nowhere; the tenant is empty where none is known."""
        label = self._tenant(tenant) if tenant else ""
        self._counters["gateway_refusals_total", label, self._reason(reason)].inc()

    def clamped(self, tenant: str, fields: Iterable[str]) -> None:
        """A policy set these fields of a request."""
        for field in fields:
            self._counters["gateway_clamped_total", self._tenant(tenant), field].inc()

    def http_request(self, route: str, method: str, status: int) -> None:
        """An answer; the route as its template."""
        method = method if method in METHODS else OTHER
        self._counters["gateway_http_requests_total", self._route(route), method, str(status)].inc()

    def overhead(self, stage: str, seconds: float) -> None:
        """What a stage of ours took."""
        self._histograms["gateway_overhead_seconds", stage].observe(seconds)

    def active(self, kind: str, change: int) -> None:
        """Requests under way became one more (+1) or fewer (-1)."""
        self._gauges["gateway_active_requests", kind].inc(change)

    def upstream_attempt(self, upstream: str, result: str) -> None:
        """A request was sent; the result is a word of ours."""
        labels = self._upstream(upstream), self._reason(result)
        self._counters["gateway_upstream_attempts_total", *labels].inc()

    def upstream_healthy(self, upstream: str, *, is_healthy: bool) -> None:
        """Whether the upstream answers."""
        if self._healthy.get(upstream) is is_healthy:
            return
        self._healthy[upstream] = is_healthy
        self._gauges["gateway_upstream_healthy", self._upstream(upstream)].set(is_healthy)

    def hold_expired(self, resolution: str) -> None:
        """A hold was resolved whose response's end was not seen."""
        self._counters["gateway_holds_expired_total", self._reason(resolution)].inc()

    def alerted(self, result: str) -> None:
        """It was tried to tell of an alert: `delivered` or `failed`."""
        self._counters["gateway_alerts_total", result].inc()

    def batch(self, batch: Batch) -> None:
        """A transaction of the ledger ended."""
        self._histograms["gateway_ledger_batch_seconds",].observe(batch.duration_seconds)
        if not batch.is_committed:
            self.ledger_failed()

    def ledger_failed(self) -> None:
        """The ledger did not do what it was asked."""
        self._counters["gateway_ledger_failures_total",].inc()

    def store_failed(self) -> None:
        """The store of limits per minute did not answer."""
        self._counters["gateway_store_failures_total",].inc()

    def watch_queue(self, depth: Callable[[], int]) -> None:
        """Ask for the ledger's queue depth at each scrape."""
        self._watched.append((self._gauges["gateway_ledger_queue_depth",], depth))

    def watch_journal(self, size_bytes: Callable[[], int]) -> None:
        """Ask for the journal's size at each scrape."""
        self._watched.append((self._gauges["gateway_journal_bytes",], size_bytes))

    def sample(self) -> None:
        """Ask now: a scrape of another process shows what this one was last asked."""
        for gauge, value in self._watched:
            gauge.set(value())

    def render(self) -> bytes:
        """All series as text. It takes milliseconds and asks the ledger: off the event loop."""
        self.sample()
        with self._scrape:
            if self._merged is not None:
                self._merged.read()
            own = "".join(self._text.pieces())
        return own.encode() + generate_latest(self._registry)

    def _cap(self, label: str, values_max: int) -> Cap:
        return Cap(label, values_max, self._counters["gateway_label_overflow_total", label])

    def _bear_tenant(self, label: str) -> None:
        if (label,) not in self._known:
            self._known.add((label,))
            self._bear("gateway_refusals_total", (label,), REFUSALS)
            self._bear("gateway_clamped_total", (label,), CHANGEABLE)

    def _bear_account(self, tenant: tuple[str, ...], model: tuple[str, ...]) -> None:
        outcomes = tuple(outcome.value for outcome in Outcome)
        self._bear("gateway_requests_total", tenant, model, outcomes)
        self._bear("gateway_tokens_total", tenant, model, TOKEN_TYPES)
        self._bear("gateway_cost_usd_total", tenant, model)
        self._bear("gateway_cached_saved_usd_total", tenant, model)
        self._bear("gateway_truncated_total", model, TRUNCATION_LIMITS)
        self._bear("gateway_unpriced_requests_total", model)

    def _account_of(self, tenant: str, model: str) -> Account:
        """What a tenant counts with a model; those beyond the caps share one, and are counted."""
        account = self._accounts.get((tenant, model))
        if account is None:
            labels = self.tenant_seen(tenant, model)
            account = Account(self._counters, self._histograms, *labels)
            if labels == (tenant, model):
                self._accounts[labels] = account
        return account


def _truncated_by(exchange: Exchange) -> str:
    price, usage = exchange.hold.price, exchange.usage
    is_full = price and usage and usage.output_tokens >= price.output_tokens_max
    if is_full:
        return "upstream"
    if BUDGET_TAG in exchange.hold.tags:
        return "budget"
    told = exchange.hold.tags.get(POLICY_TAG, "")
    return "policy" if any(f"{name}=" in told for name in OUTPUT_LIMITS) else "client"


def _aborted_by(exchange: Exchange) -> str | None:
    if exchange.client_gone:
        return "client"
    is_broken = exchange.outcome is Outcome.ABORTED or exchange.basis is Basis.RETRIEVED
    return "upstream" if is_broken else None


def _phase(exchange: Exchange) -> str:
    if exchange.first_byte_seconds is None:
        return "before_answer"
    return "before_output" if exchange.first_output_seconds is None else "output"
