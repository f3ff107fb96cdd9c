"""Gauges that are read from the database at each scrape: costs, and what budgets come to.

Whichever process is asked, the answer is the same. Not here: what a process counts (`metrics`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.adapters.metric_families import OTHER, Cap
from gateway.adapters.standings import Standing
from gateway.core.money import PUSD_PER_USD

Totals = Callable[[], Mapping[tuple[str, str], int]]  # (tenant, window) to picodollars
Standings = Callable[[], Iterable[Standing]]
Sample = tuple[str, tuple[str, ...], float]  # a name, its labels, and a value to be added to theirs

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

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What the library asks for at each scrape."""
        sums: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in self._families}
        try:
            for name, labels, value in self._read():
                sums[name][labels] = sums[name].get(labels, 0) + value
        except Exception:  # noqa: BLE001 - whatever the ledger raises, the other metrics must be seen
            _log.warning("the ledger did not tell %s", ", ".join(sums), exc_info=True)
            self._failed()
            return
        for name, (text, label_names) in self._families.items():
            family = GaugeMetricFamily(name, text, labels=label_names)
            for labels, value in sums[name].items():
                family.add_metric(labels, value)
            yield family


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
