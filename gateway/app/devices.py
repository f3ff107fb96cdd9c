"""The adapters, each as the settings want it. Not here: what is done with them (`parts`)."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from gateway import __version__
from gateway.adapters.budgets import Budgets
from gateway.adapters.changes import News
from gateway.adapters.cost_totals import CostTotals
from gateway.adapters.journal import Journal
from gateway.adapters.ledger import Ledger
from gateway.adapters.metric_files import Share
from gateway.adapters.metrics import Metrics
from gateway.adapters.pricefile import load_prices
from gateway.adapters.rules import RulesCache
from gateway.adapters.tenants import Tenants
from gateway.adapters.upstream import Timeouts, Upstream, transport_for
from gateway.app.admin.office import Door, Office
from gateway.app.attempts import FailedAttempts
from gateway.app.auth import Authenticator
from gateway.config.secret import CurrentSecret
from gateway.config.settings import Settings
from gateway.core.address import is_loopback, networks
from gateway.core.price_book import PriceBook

if TYPE_CHECKING:  # what it stands on is an extra, and costs memory where nobody has set it
    from gateway.adapters.traces import Traces


class TelemetryUnusable(ValueError):
    """What sends telemetry is set and not installed."""


def now_us() -> int:
    """This machine's time, in Unix microseconds; the database's is `Ledger.now_us`."""
    return time.time_ns() // 1000


def metrics_for(settings: Settings, engine: Engine, share: Share | None) -> Metrics:
    return Metrics(
        version=__version__,
        tenants_max=settings.limits.tenants_labelled_max,
        totals=CostTotals(engine=engine, now_us=now_us),
        standings=Budgets(engine=engine, now_us=now_us).list_budgets,
        share=share,
    )


def tenants_for(settings: Settings, engine: Engine) -> Tenants:
    return Tenants(
        engine=engine,
        now_us=now_us,
        stale_seconds_max=settings.keys.stale_seconds_max,
        cached_max=settings.keys.cached_max,
    )


def rules_for(settings: Settings, engine: Engine) -> RulesCache:
    """Policies and prices in force. Raises PriceFileInvalid."""
    return RulesCache(
        engine=engine,
        files=load_prices(settings.prices.file, region=settings.upstream.region),
        stale_seconds_max=settings.keys.stale_seconds_max,
    )


def authenticator_for(settings: Settings, tenants: Tenants) -> Authenticator:
    chosen = settings.ingress
    attempts = FailedAttempts(
        per_minute_max=chosen.failed_attempts_max,
        trusted=networks(chosen.trusted_proxies),
    )
    return Authenticator(tenants=tenants, attempts=attempts)


def office_for(
    settings: Settings,
    engine: Engine,
    *,
    now_us: Callable[[], int],
    files: PriceBook,
    root_token: CurrentSecret,
) -> Office:
    """What the admin API needs. `files`: the price book without what the database says."""
    chosen = settings.ingress
    attempts = FailedAttempts(
        per_minute_max=chosen.failed_attempts_max,
        trusted=networks(chosen.trusted_proxies),
    )
    door = Door(root_token=root_token, is_local=is_loopback(settings.host), attempts=attempts)
    return Office(engine=engine, now_us=now_us, door=door, files=files, given=settings.tenants)


def ledger_for(
    settings: Settings,
    engine: Engine,
    *,
    owner_id: str,
    metrics: Metrics,
    on_news: Callable[[News], None],
) -> Ledger:
    """The ledger, whose metrics are watched from now on."""
    chosen = settings.ledger
    ledger = Ledger(
        engine=engine,
        owner_id=owner_id,
        now_us=now_us,
        queue_max=settings.limits.queue_length_max,
        batch_max=chosen.batch_max,
        lease_seconds=chosen.lease_seconds,
        on_batch=metrics.batch,
        on_news=on_news,
        journal=Journal(settings.state_dir, owner_id, bytes_max=chosen.journal_bytes_max),
        outage=chosen.outage,
        on_failure=metrics.ledger_failed,
    )
    metrics.watch_queue(lambda: ledger.queue_depth)
    metrics.watch_journal(lambda: ledger.journal_bytes)
    return ledger


def upstream_for(settings: Settings) -> Upstream:
    chosen = settings.upstream
    return Upstream(
        base_url=chosen.base_url,
        credential=CurrentSecret(chosen.api_key, chosen.api_key_file),
        transport=transport_for(
            kind=chosen.transport,
            connections_max=chosen.connections_max,
            idle_seconds_max=chosen.keepalive_seconds,
            ca_file=None if chosen.ca_file is None else str(chosen.ca_file),
            proxy_url=chosen.proxy_url,
        ),
        timeouts=Timeouts(
            connect_seconds=chosen.connect_seconds,
            write_seconds=chosen.write_seconds,
            pool_seconds=chosen.pool_seconds,
            first_byte_seconds=chosen.first_byte_seconds,
            idle_seconds=chosen.idle_seconds,
        ),
    )


def traces_for(settings: Settings) -> "Traces | None":
    """Where exchanges are told to a collector; None where none is set."""
    chosen = settings.telemetry
    if chosen.otlp_endpoint is None:
        return None
    try:
        from gateway.adapters.collector import Address  # noqa: PLC0415 - an extra: see above
        from gateway.adapters.traces import Traces  # noqa: PLC0415 - the same
    except ModuleNotFoundError as missing:
        raise TelemetryUnusable(
            f"telemetry.otlp_endpoint is set, and {missing.name} is missing: "
            "install responses-gateway[otel]"
        ) from None
    return Traces(
        collector=Address(
            url=chosen.otlp_endpoint,
            headers=CurrentSecret(chosen.otlp_headers, chosen.otlp_headers_file),
        ),
        upstream_url=settings.upstream.base_url,
        service_name=chosen.service_name,
        version=__version__,
        sample_ratio=chosen.sample_ratio,
        semconv=None if chosen.genai_semconv == "off" else chosen.genai_semconv,
        metrics_seconds=chosen.metrics_seconds,
    )
