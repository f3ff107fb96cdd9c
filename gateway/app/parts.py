"""Everything that lives as long as the process, constructed in the order in which requests meet it.

Not here: the adapters' settings (`devices`), or when what starts and ends (`factory`).
"""

from functools import partial

from gateway.adapters.chains import Chains
from gateway.adapters.changes import News
from gateway.adapters.database import open_engine
from gateway.adapters.hard_budgets import HardBudgets
from gateway.adapters.input_count import InputCount
from gateway.adapters.live_files import LiveFiles
from gateway.adapters.logs import ExchangeLog
from gateway.adapters.metric_files import Share
from gateway.adapters.minutes import Minutes, store_for
from gateway.adapters.open_holds import open_hold
from gateway.adapters.owners import Owner
from gateway.adapters.ownership import Ownership
from gateway.adapters.policy_cache import PolicyCache
from gateway.adapters.retrieval import Retrieval
from gateway.app.admission import Admission
from gateway.app.bodies import Bodies
from gateway.app.custody import Custody
from gateway.app.devices import (
    authenticator_for,
    ledger_for,
    metrics_for,
    rules_for,
    tenants_for,
    traces_for,
    upstream_for,
)
from gateway.app.drain import DrainLimits
from gateway.app.holding import Holding
from gateway.app.live import Live
from gateway.app.metered import Meter
from gateway.app.notifier import notifier_for
from gateway.app.passage import Passage
from gateway.app.passing import Aftercare, Passed
from gateway.app.proxy import DataPlane
from gateway.app.readers import Sink
from gateway.app.reading import Desk
from gateway.app.reconcile import Reconciler
from gateway.app.relay import Relay
from gateway.app.takeover import Takeover
from gateway.config.settings import Settings
from gateway.core.attribution import tag_names
from gateway.core.catalogue import visible
from gateway.core.exchange import Hold
from gateway.core.life import Life
from gateway.core.prefixes import prefixes_from
from gateway.core.progress import Progress
from gateway.core.reconciliation import Patience

SWEEPS_PER_LEASE = 3


class Parts:
    """What the settings come to. Raises ValueError where one cannot be used."""

    def __init__(self, settings: Settings, share: Share | None) -> None:
        self.settings = settings
        self.engine = open_engine(settings.database.url, synchronous=settings.ledger.synchronous)
        self.metrics = metrics_for(settings, self.engine, share)
        self.owner = Owner(settings.state_dir)
        self.tenants = tenants_for(settings, self.engine)
        self.authenticator = authenticator_for(settings, self.tenants)
        self.rules = rules_for(settings, self.engine)
        self.policies = PolicyCache(self.rules)
        self.ledger = ledger_for(
            settings,
            self.engine,
            owner_id=self.owner.id,
            metrics=self.metrics,
            on_news=self._hear,
        )
        self.upstream = upstream_for(settings)
        self.retrieval = Retrieval(self.upstream)
        self.chains = Chains(self.engine)
        self.minutes = Minutes(
            store_for(settings.limits.store_url), on_failure=self.metrics.store_failed
        )
        self.owners = Ownership(engine=self.engine, now_us=self.ledger.now_us)
        self.traces = traces_for(settings)
        sinks = self._sinks()
        self.reconciler = self._make_reconciler(sinks)
        self.takeover = Takeover(
            ledger=self.ledger,
            engine=self.engine,
            state_dir=settings.state_dir,
            heir=self.reconciler.inherit,
            pause_seconds=settings.ledger.lease_seconds / SWEEPS_PER_LEASE,
        )
        self.notifier = notifier_for(
            settings.alerts, engine=self.engine, now_us=self.ledger.now_us, metrics=self.metrics
        )
        self.live = self._make_live()
        self.meter = Meter(
            ledger=self.ledger,
            begin=self._begin,
            metrics=self.metrics,
            sinks=sinks,
            take_on=self.reconciler.take,
        )
        drain = DrainLimits(
            seconds_max=settings.drain.seconds_max, drains_max=settings.drain.drains_max
        )
        self.relay = Relay(upstream=self.upstream, metrics=self.metrics, drain=drain)
        self.data_plane = self._make_data_plane()

    def _sinks(self) -> tuple[Sink, ...]:
        own = (self.metrics, ExchangeLog(), self.chains, self.minutes, self.owners)
        return own if self.traces is None else (*own, self.traces)

    def _begin(self, hold: Hold, started: float) -> Life:
        limit = self.settings.limits.event_bytes_max
        life = Life(
            hold=hold,
            book=self.rules.known_book,
            started=started,
            event_bytes_max=limit,
            progress=Progress(),
        )
        return self.live.watch(life)

    def _make_live(self) -> Live:
        settings = self.settings
        files = LiveFiles(settings.state_dir, self.owner.id) if settings.workers > 1 else None
        return Live(files)

    def _make_reconciler(self, sinks: tuple[Sink, ...]) -> Reconciler:
        chosen = self.settings.reconcile
        return Reconciler(
            ledger=self.ledger,
            upstream=self.retrieval,
            book=lambda: self.rules.known_book,
            patience=Patience(
                seconds_max=chosen.seconds_max,
                missing_seconds_max=chosen.missing_seconds_max,
                background_seconds_max=chosen.background_seconds_max,
            ),
            asks_max=chosen.asks_max,
            metrics=self.metrics,
            sinks=sinks,
        )

    def _make_data_plane(self) -> DataPlane:
        settings = self.settings
        custody = Custody(owners=self.owners, policies=self.policies)
        return DataPlane(
            authenticator=self.authenticator,
            admission=Admission(
                prices=self.rules,
                policies=self.policies,
                chains=self.chains,
                owners=self.owners,
                minutes=self.minutes,
                is_unpriced_allowed=settings.policy.unpriced == "record",
                now_us=self.ledger.now_us,
                client_tags=tag_names(settings.attribution.tags),
                spares_usage=settings.endpoints.chat_usage == "left_out",
            ),
            holding=Holding(ledger=self.ledger, counter=InputCount(self.upstream)),
            relay=self.relay,
            meter=self.meter,
            passage=Passage(
                relay=self.relay,
                policies=self.policies,
                minutes=self.minutes,
                ownership=custody,
                budgets=HardBudgets(self.engine),
                aftercare={
                    **custody.aftercare(),
                    "models.list": Aftercare(act=self._show_models, is_rewriting=True),
                },
                desk=Desk(
                    find=partial(open_hold, self.engine),
                    meter=self.meter,
                    reconciler=self.reconciler,
                    upstream=self.retrieval,
                    book=lambda: self.rules.known_book,
                ),
            ),
            metrics=self.metrics,
            begin_trace=None if self.traces is None else self.traces.begin,
            prefixes=prefixes_from(settings.endpoints.passed_prefixes),
            bodies=Bodies(
                bytes_max=settings.limits.request_bytes_max,
                total_bytes_max=settings.limits.request_total_bytes_max,
            ),
        )

    async def _show_models(self, passed: Passed, body: bytes) -> bytes:
        effective = await self.policies.find(passed.tenant)
        return visible(body, effective.policy.models)

    def _hear(self, news: News) -> None:
        self.tenants.hear(news)
        self.rules.hear(news)
