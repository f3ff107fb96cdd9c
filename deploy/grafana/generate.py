# ruff: noqa: INP001 -- a script that is run by its path, not a package
"""Writes the Grafana boards: `python deploy/grafana/generate.py`, with `--check` only compares.

Belongs here: what each panel asks and how it is laid out. The JSON beside it is never edited by
hand. The ledger's gauges are the same on every replica, so they are folded with `max` before they
are summed; counters are for rates, because a counter knows nothing of what came before its first
scrape.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

BOARDS = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PLACE = 'job=~"$job", instance=~"$instance"'
WHO = f'{PLACE}, tenant=~"$tenant"'
WHAT = f'{WHO}, model=~"$model"'
COLUMNS = 24
USD = "currencyUSD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question, its picture and its words."""

    title: str
    description: str
    expr: str
    unit: str
    kind: str = "timeseries"
    legend: str = ""
    columns: int = 12
    rows: int = 8
    decimals: int | None = None
    is_stacked: bool = False
    is_instant: bool = False


def rate(metric: str, labels: str, by: str = "") -> str:
    inner = f"rate({metric}{{{labels}}}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def happened(metric: str) -> str:
    return f"(sum(increase({metric}{{{PLACE}}}[$__range])) or vector(0))"


def from_ledger(window: str, by: str = "") -> str:
    gauge = f'max by (tenant) (gateway_cost_usd{{{WHO}, window="{window}"}})'
    return f"sort_desc(topk(20, {gauge}))" if by else f"sum({gauge})"


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


def looks(panel: Panel) -> dict[str, Any]:
    """The options that differ between kinds of panel."""
    calc = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "stat":
        return {"colorMode": "none", "graphMode": "none", "reduceOptions": calc}
    if panel.kind == "bargauge":
        return {"displayMode": "basic", "orientation": "horizontal", "reduceOptions": calc}
    legend = {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["mean"]}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def drawn(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    stacking = {"group": "A", "mode": "normal" if panel.is_stacked else "none"}
    custom = {"fillOpacity": 25 if panel.is_stacked else 0, "stacking": stacking}
    target = {
        "datasource": SOURCE,
        "expr": panel.expr,
        "instant": panel.is_instant,
        "legendFormat": panel.legend or panel.title,
        "range": not panel.is_instant,
        "refId": "A",
    }
    return {
        "datasource": SOURCE,
        "description": panel.description,
        "fieldConfig": {
            "defaults": {
                "color": {"mode": "palette-classic"},
                "custom": custom if panel.kind == "timeseries" else {},
                "min": 0,
                "unit": panel.unit,
                **({} if panel.decimals is None else {"decimals": panel.decimals}),
            },
            "overrides": [],
        },
        "gridPos": place,
        "id": number,
        "options": looks(panel),
        "targets": [target],
        "title": panel.title,
        "type": panel.kind,
    }


def laid_out(panels: list[Panel]) -> list[dict[str, Any]]:
    """Left to right, and down when a row is full; panels of a row are of one height."""
    drawn_panels, x, y = [], 0, 0
    for number, panel in enumerate(panels, start=1):
        place = {"h": panel.rows, "w": panel.columns, "x": x, "y": y}
        drawn_panels.append(drawn(panel, number, place))
        x += panel.columns
        if x >= COLUMNS:
            x, y = 0, y + panel.rows
    return drawn_panels


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "definition": query,
        "includeAll": True,
        "label": name.capitalize(),
        "multi": True,
        "name": name,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "type": "query",
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
