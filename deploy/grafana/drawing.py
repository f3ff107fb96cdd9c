# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""How a panel of a Grafana board is drawn, and where it stands. Not here: what it asks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LEDGER = {"type": "grafana-postgresql-datasource", "uid": "${ledger}"}
COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question, its picture and its words. It asks Prometheus, or with `sql` the ledger."""

    title: str
    description: str
    unit: str
    exprs: Mapping[str, str] = field(default_factory=dict)  # by legend
    sql: str = ""
    units: Mapping[str, str] = field(default_factory=dict)  # of a table's other columns
    kind: str = "timeseries"
    columns: int = 12
    rows: int = 8
    decimals: int | None = None
    is_stacked: bool = False
    is_instant: bool = False
    may_be_negative: bool = False
    steps: tuple[tuple[float, str], ...] = ()  # from which value on which colour


def looks(panel: Panel) -> dict[str, Any]:
    """The options that differ between kinds of panel."""
    calc = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "stat":
        color = "value" if panel.steps else "none"
        return {"colorMode": color, "graphMode": "none", "reduceOptions": calc}
    if panel.kind == "bargauge":
        return {"displayMode": "basic", "orientation": "horizontal", "reduceOptions": calc}
    if panel.kind == "table":
        return {"cellHeight": "sm", "showHeader": True}
    legend = {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["mean"]}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def targets(panel: Panel) -> Iterable[dict[str, Any]]:
    """What is asked, a letter each."""
    if panel.sql:
        shape = "time_series" if panel.kind == "timeseries" else "table"
        how = {"editorMode": "code", "format": shape, "rawQuery": True}
        yield {"datasource": LEDGER, "rawSql": panel.sql, "refId": "A", **how}
    for letter, (legend, expr) in zip("ABCDEF", panel.exprs.items(), strict=False):
        yield {
            "datasource": PROMETHEUS,
            "expr": expr,
            "instant": panel.is_instant,
            "legendFormat": legend,
            "range": not panel.is_instant,
            "refId": letter,
        }


def defaults(panel: Panel) -> dict[str, Any]:
    """How every value is written and coloured."""
    stacking = {"group": "A", "mode": "normal" if panel.is_stacked else "none"}
    custom = {"fillOpacity": 25 if panel.is_stacked else 0, "stacking": stacking}
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": value} for value, color in panel.steps]
    return {
        "color": {"mode": "thresholds" if panel.steps else "palette-classic"},
        "custom": custom if panel.kind == "timeseries" else {},
        "unit": panel.unit,
        **({} if panel.may_be_negative else {"min": 0}),
        **({} if panel.decimals is None else {"decimals": panel.decimals}),
        **({"thresholds": {"mode": "absolute", "steps": steps}} if panel.steps else {}),
    }


def drawn(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    """The panel as Grafana reads it."""
    overrides = [
        {
            "matcher": {"id": "byName", "options": column},
            "properties": [{"id": "unit", "value": unit}],
        }
        for column, unit in panel.units.items()
    ]
    return {
        "datasource": LEDGER if panel.sql else PROMETHEUS,
        "description": panel.description,
        "fieldConfig": {"defaults": defaults(panel), "overrides": overrides},
        "gridPos": dict(place),
        "id": number,
        "options": looks(panel),
        "targets": list(targets(panel)),
        "title": panel.title,
        "type": panel.kind,
    }


def laid_out(panels: Iterable[Panel]) -> list[dict[str, Any]]:
    """Left to right, and down when a row is full; panels of a row are of one height."""
    drawn_panels, x, y = [], 0, 0
    for number, panel in enumerate(panels, start=1):
        place = {"h": panel.rows, "w": panel.columns, "x": x, "y": y}
        drawn_panels.append(drawn(panel, number, place))
        x += panel.columns
        if x >= COLUMNS:
            x, y = 0, y + panel.rows
    return drawn_panels


def source(name: str, kind: str, label: str) -> dict[str, Any]:
    """The choice of a data source."""
    return {"current": {}, "label": label, "name": name, "query": kind, "type": "datasource"}


def choice(name: str, query: str, *, of: Mapping[str, str]) -> dict[str, Any]:
    """The choice of some values, or all; SQL wants every value by name."""
    is_sql = of == LEDGER
    return {
        **({} if is_sql else {"allValue": ".*"}),
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": dict(of),
        "definition": query,
        "includeAll": True,
        "label": name.capitalize(),
        "multi": True,
        "name": name,
        "query": query if is_sql else {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "type": "query",
    }
