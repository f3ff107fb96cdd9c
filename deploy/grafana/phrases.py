# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""The turns of PromQL that the boards share.

The ledger's gauges are the same on every replica, so they are folded with `max` before they are
summed. Counters are for paces, because a counter knows nothing of what came before its first
scrape: what was spent is asked of the gauges, and of the ledger.
"""

PLACE = 'job=~"$job", instance=~"$instance"'
OF_ALL = 'job=~"$job"'  # of recorded series, which add up all instances
WHO = f'{PLACE}, tenant=~"$tenant"'
WHAT = f'{WHO}, model=~"$model"'
MODEL = f'{PLACE}, model=~"$model"'
USD = "currencyUSD"
SHARE = "percentunit"
VARIABLES = {
    "job": "label_values(gateway_build_info, job)",
    "instance": 'label_values(gateway_build_info{job=~"$job"}, instance)',
    "tenant": f"label_values(gateway_cost_usd{{{PLACE}}}, tenant)",
    "model": f"label_values(gateway_requests_total{{{PLACE}}}, model)",
}


def rate(metric: str, labels: str = PLACE, by: str = "") -> str:
    inner = f"rate({metric}{{{labels}}}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def share(part: str, whole: str) -> str:
    """Nothing where there is no traffic: a share of nothing is no 0."""
    return f"{part} / ({whole} > 0)"


def happened(metric: str, labels: str = PLACE) -> str:
    """How often in the chosen time: about, as Prometheus extrapolates. Never asked of money."""
    return f"(sum(increase({metric}{{{labels}}}[$__range])) or vector(0))"


def quantile(part: float, histogram: str, labels: str = PLACE, by: str = "le") -> str:
    buckets = f"sum by ({by}) (rate({histogram}_bucket{{{labels}}}[$__rate_interval]))"
    return f"histogram_quantile({part}, {buckets})"


def quantiles(histogram: str, labels: str) -> dict[str, str]:
    """The usual three, by their names."""
    return {f"p{part}": quantile(part / 100, histogram, labels) for part in (50, 95, 99)}


def from_ledger(window: str, by: str = "") -> str:
    gauge = f'max by (tenant) (gateway_cost_usd{{{WHO}, window="{window}"}})'
    return f"sort_desc(topk(20, {gauge}))" if by else f"sum({gauge})"


def of_budgets(figure: str) -> str:
    return f"max by (tenant, budget) (gateway_budget_{figure}{{{WHO}}})"


def fullest() -> str:
    taken = f"({of_budgets('spent_usd')} + {of_budgets('held_usd')})"
    return share(taken, of_budgets("limit_usd"))


def dearest(expr: str) -> str:
    return f"topk(20, {expr})"
