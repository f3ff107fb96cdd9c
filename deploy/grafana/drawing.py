# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""How a panel of a Grafana board is drawn, and where it stands. Not here: what it asks."""

from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24


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
