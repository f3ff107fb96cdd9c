"""Gauges that are read from the database at each scrape: costs, and what budgets come to.

Whichever process is asked, the answer is the same. A scrape does not wait for a slow database: it
is told what was read last, if that is not old. Not here: what a process counts (`metrics`).
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.adapters.metric_families import OTHER, Cap
from gateway.adapters.standings import Standing
from gateway.core.money import PUSD_PER_USD

Totals = Callable[[], Mapping[tuple[str, str], int]]  # (tenant, window) to picodollars
Standings = Callable[[], Iterable[Standing]]
Sample = tuple[str, tuple[str, ...], float]  # a name, its labels, and a value to be added to theirs

WAIT_SECONDS_MAX = 0.1
LAST_SECONDS_MAX = 60.0  # so long what was read last may be told again

_Sums = dict[str, dict[tuple[str, ...], float]]
_log = logging.getLogger(__name__)


class Readings(Collector):
    """Some families; a database that is away costs no others."""

    def __init__(
        self,
        families: Mapping[str, tuple[str, tuple[str, ...]]],
        read: Callable[[], Iterable[Sample]],
        failed: Callable[[], None],
    ) -> None:
        self._families = families
        self._read = read
        self._failed = failed
        self._thread = ThreadPoolExecutor(1)
        self._reading: Future[None] | None = None
        self._last: tuple[float, _Sums] | None = None  # when it was read, and what

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What the library asks for at each scrape."""
        reading = self._begun()
        wait([reading], WAIT_SECONDS_MAX if self._newest() else None)
        try:
            if reading.done():
                reading.result()
        except Exception:  # noqa: BLE001 - whatever the ledger raises, the other metrics must be seen
            told = ", ".join(self._families)
            _log.warning("the ledger did not tell %s", told, exc_info=True)
            self._failed()
            return
        sums = self._newest() or {}
        for name, (text, label_names) in self._families.items():
            family = GaugeMetricFamily(name, text, labels=label_names)
            for labels, value in sums.get(name, {}).items():
                family.add_metric(labels, value)
            yield family

    def _begun(self) -> "Future[None]":
        """The reading that is under way, or a new one."""
        if self._reading is None or self._reading.done():
            self._reading = self._thread.submit(self._add_up)
        return self._reading

    def _add_up(self) -> None:
        sums: _Sums = {name: {} for name in self._families}
        for name, labels, value in self._read():
            sums[name][labels] = sums[name].get(labels, 0) + value
        self._last = time.monotonic(), sums

    def _newest(self) -> _Sums | None:
        """What was read last, unless that is too long ago."""
        if self._last is None or time.monotonic() > self._last[0] + LAST_SECONDS_MAX:
            return None
        return self._last[1]


def costs(totals: Totals, tenant: Cap) -> Iterator[Sample]:
    """What each tenant spent today and this month; those without a label of their own together."""
    for (path, window), cost_pusd in totals().items():
        yield "gateway_cost_usd", (tenant.uncounted(path), window), cost_pusd / PUSD_PER_USD


def budgets(standings: Standings, tenant: Cap, budget: Cap) -> Iterator[Sample]:
    """What every budget's current period comes to."""
    for standing in standings():
        owner = tenant.uncounted(standing.tenant)
        labels = owner, budget.uncounted(_name(standing, owner))
        account = standing.account
        for figure in ("limit", "spent", "held", "excess"):
            usd = getattr(account, f"{figure}_pusd") / PUSD_PER_USD
            yield f"gateway_budget_{figure}_usd", labels, usd
        if account.period_end_us is not None and OTHER not in labels:
            seconds = account.period_end_us / 1_000_000
            yield "gateway_budget_reset_timestamp_seconds", labels, seconds


def _name(standing: Standing, owner: str) -> str:
    """`month`, or `month@ID` for that of a key, where its tenant is told."""
    name = standing.budget.name
    is_key = standing.budget.subject != standing.tenant
    return f"{name}@{standing.budget.subject}" if is_key and owner != OTHER else name
