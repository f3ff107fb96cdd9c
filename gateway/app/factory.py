"""The one place where everything is constructed, in the order in which requests meet it.

Start: the ledger, then what the journals of dead processes say; only then is the first request
taken. What else they left is settled meanwhile. The schema is expected to be there (`gateway serve`
sees to it).
End: the server has stopped listening; exchanges settle, the ledger writes the last, all closes.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI

from gateway import __version__
from gateway.adapters.budgets import Budgets
from gateway.adapters.chains import Chains
from gateway.adapters.changes import News
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.input_count import InputCount
from gateway.adapters.journal import Journal
from gateway.adapters.ledger import Ledger
from gateway.adapters.logs import log_exchange
from gateway.adapters.metric_files import Share
from gateway.adapters.metrics import Metrics
from gateway.adapters.minutes import Minutes, store_for
from gateway.adapters.owners import Owner
from gateway.adapters.policy_cache import PolicyCache
from gateway.adapters.pricefile import load_prices
from gateway.adapters.refusals import keep_newest
from gateway.adapters.reports import cost_totals
from gateway.adapters.retrieval import Retrieval
from gateway.adapters.tenants import Tenants
from gateway.adapters.upstream import Timeouts, Upstream, transport_for
from gateway.app.admission import Admission
from gateway.app.attempts import FailedAttempts
from gateway.app.auth import Authenticator
from gateway.app.bodies import Bodies
from gateway.app.drain import DrainLimits
from gateway.app.errors import answer, answer_not_found
from gateway.app.health import admin_guard, health_router
from gateway.app.holding import Holding
from gateway.app.notifier import notifier_for
from gateway.app.planes import Gateway
from gateway.app.proxy import DataPlane
from gateway.app.readers import Sink
from gateway.app.reconcile import Reconciler
from gateway.app.relay import Relay
from gateway.app.takeover import Takeover
from gateway.config.secret import CurrentSecret
from gateway.config.settings import Settings
from gateway.core.address import is_loopback, networks
from gateway.core.errors import GatewayError
from gateway.core.exchange import Hold
from gateway.core.life import Life
from gateway.core.reconciliation import Patience

SWEEPS_PER_LEASE = 3
SAMPLE_SECONDS = 1.0


def create_app(settings: Settings, *, share: Share | None = None) -> Gateway:
    """The application, ready to be served; it writes nothing before its lifespan starts.

    `share` is its part of the metrics, where several processes are seen as one.
    Raises ValueError for a database URL, price file or secret that cannot be used.
    """
    parts = _Parts(settings, share)
    app = Gateway(
        title="Responses Gateway",
        version=__version__,
        lifespan=parts.lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # its redirects would go wherever a request's Host says
    )
    app.data_plane = parts.data_plane
    app.admin_port = settings.admin.port
    app.add_exception_handler(GatewayError, answer)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, answer_not_found)
    token = CurrentSecret(settings.admin.token, settings.admin.token_file)
    # A token that is set is asked for everywhere: on loopback there may be a proxy in front.
    guard = admin_guard(is_open=is_loopback(settings.host) and not token(), token=token)
    app.include_router(health_router(ledger=parts.ledger, metrics=parts.metrics, guard=guard))
    return app


class _Parts:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, share: Share | None) -> None:
        self.settings = settings
        own = settings.prices.file
        self.book = load_prices(*([] if own is None else [own]))
        self.engine = open_engine(settings.database.url, synchronous=settings.ledger.synchronous)
        self.metrics = self._make_metrics(share)
        self.owner = Owner(settings.state_dir)
        self.tenants = Tenants(
            engine=self.engine,
            now_us=_now_us,
            stale_seconds_max=settings.keys.stale_seconds_max,
            cached_max=settings.keys.cached_max,
        )
        self.policies = PolicyCache(
            engine=self.engine, stale_seconds_max=settings.keys.stale_seconds_max
        )
        self.ledger = self._make_ledger()
        self.metrics.watch_queue(lambda: self.ledger.queue_depth)
        self.metrics.watch_journal(lambda: self.ledger.journal_bytes)
        self.upstream = _upstream(settings)
        self.chains = Chains(self.engine)
        self.minutes = Minutes(
            store_for(settings.limits.store_url), on_failure=self.metrics.store_failed
        )
        sinks = (self.metrics, log_exchange, self.chains, self.minutes)
        self.reconciler = self._make_reconciler(sinks)
        self.takeover = self._make_takeover()
        self.notifier = notifier_for(
            settings.alerts, engine=self.engine, now_us=self.ledger.now_us, metrics=self.metrics
        )
        self.relay = self._make_relay(sinks)
        self.data_plane = DataPlane(
            authenticator=self._make_authenticator(),
            admission=Admission(
                book=self.book,
                policies=self.policies,
                chains=self.chains,
                minutes=self.minutes,
                is_unpriced_allowed=settings.policy.unpriced == "record",
                now_us=self.ledger.now_us,
            ),
            holding=Holding(ledger=self.ledger, counter=InputCount(self.upstream)),
            relay=self.relay,
            metrics=self.metrics,
            bodies=Bodies(
                bytes_max=settings.limits.request_bytes_max,
                total_bytes_max=settings.limits.request_total_bytes_max,
            ),
        )

    def _begin(self, hold: Hold, started: float) -> Life:
        limit = self.settings.limits.event_bytes_max
        return Life(hold=hold, book=self.book, started=started, event_bytes_max=limit)

    def _make_metrics(self, share: Share | None) -> Metrics:
        return Metrics(
            version=__version__,
            tenants_max=self.settings.limits.tenants_labelled_max,
            totals=self._totals,
            standings=Budgets(engine=self.engine, now_us=_now_us).list_budgets,
            share=share,
        )

    def _make_authenticator(self) -> Authenticator:
        chosen = self.settings.ingress
        attempts = FailedAttempts(
            per_minute_max=chosen.failed_attempts_max,
            trusted=networks(chosen.trusted_proxies),
        )
        return Authenticator(tenants=self.tenants, attempts=attempts)

    def _make_ledger(self) -> Ledger:
        chosen = self.settings.ledger
        return Ledger(
            engine=self.engine,
            owner_id=self.owner.id,
            now_us=_now_us,
            queue_max=self.settings.limits.queue_length_max,
            batch_max=chosen.batch_max,
            lease_seconds=chosen.lease_seconds,
            on_batch=self.metrics.batch,
            on_news=self._hear,
            journal=Journal(
                self.settings.state_dir, self.owner.id, bytes_max=chosen.journal_bytes_max
            ),
            outage=chosen.outage,
            on_failure=self.metrics.ledger_failed,
        )

    def _make_reconciler(self, sinks: tuple[Sink, ...]) -> Reconciler:
        chosen = self.settings.reconcile
        return Reconciler(
            ledger=self.ledger,
            upstream=Retrieval(self.upstream),
            book=self.book,
            patience=Patience(
                seconds_max=chosen.seconds_max, missing_seconds_max=chosen.missing_seconds_max
            ),
            asks_max=chosen.asks_max,
            metrics=self.metrics,
            sinks=sinks,
        )

    def _make_takeover(self) -> Takeover:
        return Takeover(
            ledger=self.ledger,
            engine=self.engine,
            state_dir=self.settings.state_dir,
            heir=self.reconciler.inherit,
            pause_seconds=self.settings.ledger.lease_seconds / SWEEPS_PER_LEASE,
        )

    def _make_relay(self, sinks: tuple[Sink, ...]) -> Relay:
        chosen = self.settings.drain
        return Relay(
            upstream=self.upstream,
            ledger=self.ledger,
            begin=self._begin,
            metrics=self.metrics,
            sinks=sinks,
            take_on=self.reconciler.take,
            drain=DrainLimits(seconds_max=chosen.seconds_max, drains_max=chosen.drains_max),
        )

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """From the first hold to the last settlement."""
        for tenant in Directory(engine=self.engine, now_us=_now_us).list_tenants():
            self.metrics.tenant_known(tenant.path)
        self.ledger.start()
        try:
            await self.takeover.adopt()
            async with asyncio.TaskGroup() as tasks:
                standing = [
                    tasks.create_task(each)
                    for each in (
                        self.reconciler.run(),
                        self.takeover.run(),
                        self.minutes.run(),
                        self.notifier.run(),
                        keep_newest(self.engine),
                        self._sample(),
                    )
                ]
                yield
                # Exchanges that were cancelled at the deadline have yet to settle.
                await self.relay.aclose()
                for task in standing:
                    task.cancel()
        finally:
            await self.ledger.aclose()
            await self.upstream.aclose()
            await self.minutes.aclose()
            await self.notifier.aclose()
            self.owner.release()
            self.engine.dispose()

    def _hear(self, news: News) -> None:
        self.tenants.hear(news)
        self.policies.hear(news)

    def _totals(self) -> dict[tuple[str, str], int]:
        totals = cost_totals(self.engine, _now_us())
        return {(tenant, window): cost_pusd for (tenant, window), cost_pusd in totals.items()}

    async def _sample(self) -> None:
        """Let a scrape that another process answers see this one's figures."""
        while True:
            self.metrics.sample()
            await asyncio.sleep(SAMPLE_SECONDS)


def _upstream(settings: Settings) -> Upstream:
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


def _now_us() -> int:
    return time.time_ns() // 1000
