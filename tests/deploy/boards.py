"""The boards as their tests read them: panels, questions, and what Grafana puts into these."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gateway.adapters.metrics import METRIC_NAMES

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
RULES = ROOT / "deploy" / "prometheus" / "rules"
BOARDS = {path.stem: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}
PANELS = {
    f"{name}: {panel['title']}": panel
    for name, board in BOARDS.items()
    for panel in board["panels"]
}
SUFFIXES = ("_bucket", "_sum", "_count")
OF_PROMETHEUS = {"up", "ALERTS"}  # it makes them itself
CHOSEN = dict.fromkeys(("$job", "$instance", "$tenant", "$model"), ".*")


def exprs(panel: Mapping[str, Any]) -> Iterator[str]:
    """What a panel asks Prometheus, as it stands on the board."""
    return (target["expr"] for target in panel["targets"] if "expr" in target)


def sqls(panel: Mapping[str, Any]) -> Iterator[str]:
    """What a panel asks the ledger."""
    return (target["rawSql"] for target in panel["targets"] if "rawSql" in target)


def promql(expr: str, *, pace: str = "1m", span: str = "6h") -> str:
    """As Grafana sends it, with everything chosen."""
    values = {"$__rate_interval": pace, "$__range": span, **CHOSEN}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def sql(text: str, *, since: int, until: int, chosen: Mapping[str, Sequence[str]]) -> str:
    """As Grafana sends it; `chosen` are the values of the variables, times are Unix seconds."""
    text = text.replace("$__unixEpochFrom()", str(since)).replace("$__unixEpochTo()", str(until))
    for name, values in chosen.items():
        quoted = ",".join("'" + value.replace("'", "''") + "'" for value in values)
        text = text.replace(f"${{{name}:sqlstring}}", quoted)
    assert "$" not in text, text
    return text


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Every rule by its name; `kind` is `alert` or `record`."""
    groups = [
        group
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    found = [rule for group in groups for rule in group["rules"] if kind in rule]
    assert len({rule[kind] for rule in found}) == len(found), "a name twice"
    return {rule[kind]: rule for rule in found}


def asked(expr: str) -> set[str]:
    """The metrics that an expression selects: every selector has its matchers, or stands alone."""
    text = re.sub(r'"[^"]*"', '""', expr)
    text = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right) *\([^)]*\)", "", text)
    words = r"(?<![\w:.$])((?:gateway_|up\b|ALERTS\b|\w+:)[\w:]*)"
    return set(re.findall(words, re.sub(r"\{[^}]*\}", "{}", text)))


def unknown(expr: str) -> set[str]:
    """The metrics in an expression that nobody makes."""
    known = METRIC_NAMES | OF_PROMETHEUS | set(rules("record"))
    return {name for name in asked(expr) if not _families(name) & known}


def _families(name: str) -> set[str]:
    return {name, *(name.removesuffix(suffix) for suffix in SUFFIXES)}
