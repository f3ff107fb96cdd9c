# ruff: noqa: INP001 -- a script that is run by its path, not a package
"""Writes the Grafana boards: `python deploy/grafana/generate.py`, with `--check` only compares.

Belongs here: what each panel asks; how it looks is in `drawing.py`. The JSON beside it is never
edited by hand. The ledger's gauges are the same on every replica, so they are folded with `max`
before they are summed; counters are for rates, because a counter knows nothing of what came before
its first scrape.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from drawing import Panel, laid_out, variable

BOARDS = Path(__file__).resolve().parent / "dashboards"
PLACE = 'job=~"$job", instance=~"$instance"'
WHO = f'{PLACE}, tenant=~"$tenant"'
WHAT = f'{WHO}, model=~"$model"'
USD = "currencyUSD"


def rate(metric: str, labels: str, by: str = "") -> str:
    inner = f"rate({metric}{{{labels}}}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def happened(metric: str) -> str:
    return f"(sum(increase({metric}{{{PLACE}}}[$__range])) or vector(0))"


def from_ledger(window: str, by: str = "") -> str:
    gauge = f'max by (tenant) (gateway_cost_usd{{{WHO}, window="{window}"}})'
    return f"sort_desc(topk(20, {gauge}))" if by else f"sum({gauge})"


def of_budgets(figure: str) -> str:
    return f"max by (tenant, budget) (gateway_budget_{figure}_usd{{{WHO}}})"


def per_thousand(by: str = "") -> str:
    cost = rate("gateway_cost_usd_total", WHAT, by)
    return f"1000 * {cost} / ({rate('gateway_requests_total', WHAT, by)} > 0)"


def cached_share(by: str = "") -> str:
    cached = rate("gateway_tokens_total", f'{WHAT}, type="input_cached"', by)
    every = rate("gateway_tokens_total", f'{WHAT}, type=~"input.*"', by)
    return f"{cached} / ({every} > 0)"


STATS = (
    Panel(
        title="Cost today",
        description="Exact, from the ledger (gateway_cost_usd): since midnight UTC. All models.",
        expr=from_ledger("today"),
        unit=USD,
    ),
    Panel(
        title="Cost this month",
        description="Exact, from the ledger (gateway_cost_usd): since the first, UTC. All models.",
        expr=from_ledger("month"),
        unit=USD,
    ),
    Panel(
        title="Cost an hour, now",
        description="What the present pace costs (gateway_cost_usd_total as a rate).",
        expr=f"3600 * {rate('gateway_cost_usd_total', WHAT)}",
        unit=USD,
    ),
    Panel(
        title="Cost of 1,000 requests",
        description="Cost over requests of any outcome (gateway_cost_usd_total, "
        "gateway_requests_total). Empty without traffic.",
        expr=per_thousand(),
        unit=USD,
    ),
    Panel(
        title="Cached share of input",
        description="Input tokens read from the cache, of all input tokens "
        "(gateway_tokens_total). Empty without traffic.",
        expr=cached_share(),
        unit="percentunit",
        decimals=1,
    ),
    Panel(
        title="Without a price or usage",
        description="Requests in the chosen time whose cost is not known: no price "
        "(gateway_unpriced_requests_total) or no usage (gateway_usage_missing_total). "
        "Anything but 0 wants a look.",
        expr=f"{happened('gateway_unpriced_requests_total')}"
        f" + {happened('gateway_usage_missing_total')}",
        unit="short",
        decimals=0,
    ),
)
CHARTS = (
    Panel(
        title="Cost this month by tenant",
        description="Exact, from the ledger (gateway_cost_usd): each tenant's own, the 20 dearest.",
        expr=from_ledger("month", by="tenant"),
        unit=USD,
        kind="bargauge",
        legend="{{tenant}}",
        is_instant=True,
    ),
    Panel(
        title="Budgets: taken of the limit",
        description="What is spent or held of each budget's current period, of its limit "
        "(gateway_budget_spent_usd, gateway_budget_held_usd, gateway_budget_limit_usd); the 20 "
        "fullest. Empty without budgets.",
        expr=f"sort_desc(topk(20, ({of_budgets('spent')} + {of_budgets('held')})"
        f" / ({of_budgets('limit')} > 0)))",
        unit="percentunit",
        kind="bargauge",
        legend="{{tenant}} {{budget}}",
        is_instant=True,
    ),
    Panel(
        title="Cost an hour by model",
        description="The pace of spending (gateway_cost_usd_total as a rate, times an hour).",
        expr=f"3600 * {rate('gateway_cost_usd_total', WHAT, by='model')}",
        unit=USD,
        legend="{{model}}",
        is_stacked=True,
    ),
    Panel(
        title="Cost an hour by tenant",
        description="The pace of spending (gateway_cost_usd_total as a rate, times an hour).",
        expr=f"3600 * {rate('gateway_cost_usd_total', WHAT, by='tenant')}",
        unit=USD,
        legend="{{tenant}}",
        is_stacked=True,
    ),
    Panel(
        title="Cost of 1,000 requests by model",
        description="Cost over requests of any outcome (gateway_cost_usd_total, "
        "gateway_requests_total).",
        expr=per_thousand(by="model"),
        unit=USD,
        legend="{{model}}",
    ),
    Panel(
        title="Tokens by type",
        description="Disjoint, so that they add up to all tokens (gateway_tokens_total).",
        expr=rate("gateway_tokens_total", WHAT, by="type"),
        unit="suffix: tokens/s",
        legend="{{type}}",
        is_stacked=True,
    ),
    Panel(
        title="Cached share of input by model",
        description="Input tokens read from the cache, of all input tokens (gateway_tokens_total).",
        expr=cached_share(by="model"),
        unit="percentunit",
        legend="{{model}}",
    ),
    Panel(
        title="Requests by outcome",
        description="How exchanges ended (gateway_requests_total).",
        expr=rate("gateway_requests_total", WHAT, by="outcome"),
        unit="reqps",
        legend="{{outcome}}",
        is_stacked=True,
    ),
    Panel(
        title="Usage missing, by reason",
        description="Exchanges whose usage the upstream did not report "
        "(gateway_usage_missing_total); their hold stays spent until it is learned.",
        expr=rate("gateway_usage_missing_total", PLACE, by="reason"),
        unit="reqps",
        legend="{{reason}}",
    ),
)
VARIABLES = {
    "job": "label_values(gateway_build_info, job)",
    "instance": 'label_values(gateway_build_info{job=~"$job"}, instance)',
    "tenant": f"label_values(gateway_cost_usd{{{PLACE}}}, tenant)",
    "model": f"label_values(gateway_requests_total{{{PLACE}}}, model)",
}


def cost_board() -> dict[str, Any]:
    stats = [replace(each, kind="stat", columns=4, rows=4, is_instant=True) for each in STATS]
    source = {"label": "Data source", "name": "datasource", "query": "prometheus"}
    return {
        "description": "What the requests through the gateway cost, and whose money it was.",
        "editable": False,
        "graphTooltip": 1,
        "panels": laid_out([*stats, *CHARTS]),
        "refresh": "30s",
        "schemaVersion": 39,
        "tags": ["gateway"],
        "templating": {
            "list": [
                {**source, "type": "datasource", "current": {}},
                *(variable(name, query) for name, query in VARIABLES.items()),
            ]
        },
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "title": "Gateway: cost",
        "uid": "gateway-cost",
    }


def main(words: list[str]) -> int:
    board = BOARDS / "cost.json"
    text = json.dumps(cost_board(), indent=2) + "\n"
    if words == ["--check"]:
        return 0 if board.exists() and board.read_text() == text else 1
    board.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
