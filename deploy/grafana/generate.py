# ruff: noqa: INP001 -- a script that is run by its path, not a package
"""Writes the Grafana boards: `python deploy/grafana/generate.py`, with `--check` only compares.

Belongs here: which boards there are, and what all of them have. What a board asks is in its own
file, how it looks in `drawing.py`. The JSON beside it is never edited by hand.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import budgets_board
import cost_board
import ledger_board
import operations_board
from drawing import LEDGER, PROMETHEUS, Panel, choice, laid_out, source
from phrases import VARIABLES

BOARDS = Path(__file__).resolve().parent / "dashboards"
TAG = "gateway"
STATS_PER_ROW = {6: 4, 8: 3}  # how many there are, and how wide each is then
METRICS = (
    source("datasource", "prometheus", "Data source"),
    *(choice(name, query, of=PROMETHEUS) for name, query in VARIABLES.items()),
)
SQL = (
    source("ledger", LEDGER["type"], "Ledger"),
    choice("tenant", ledger_board.TENANTS, of=LEDGER),
    choice("model", ledger_board.MODELS, of=LEDGER),
)


def board(
    name: str, about: str, stats: Iterable[Panel], charts: Iterable[Panel], variables: Any = METRICS
) -> dict[str, Any]:
    """A board as Grafana reads it."""
    small = tuple(stats)
    width = STATS_PER_ROW[len(small)]
    first = [replace(each, kind="stat", columns=width, rows=4, is_instant=True) for each in small]
    others = {"asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False}
    return {
        "description": about,
        "editable": False,
        "graphTooltip": 1,
        "links": [
            {
                **others,
                "icon": "external link",
                "tags": [TAG],
                "title": "Gateway boards",
                "type": "dashboards",
            }
        ],
        "panels": laid_out([*first, *charts]),
        "refresh": "30s",
        "schemaVersion": 39,
        "tags": [TAG],
        "templating": {"list": list(variables)},
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "title": f"Gateway: {name}",
        "uid": f"gateway-{name}",
    }


def boards() -> dict[str, dict[str, Any]]:
    """Every board by the name of its file."""
    cost, budgets, operations = cost_board, budgets_board, operations_board
    about = (
        "What the requests through the gateway cost, and whose money it was.",
        "What budgets come to, and what limits and policies did.",
        "Traffic, errors, times, streams, the upstream and the ledger's machinery.",
        "The books themselves, in SQL: exact, by hour, tenant, model and key.",
    )
    return {
        "cost": board("cost", about[0], cost.STATS, cost.CHARTS),
        "budgets": board("budgets", about[1], budgets.STATS, budgets.CHARTS),
        "operations": board("operations", about[2], operations.STATS, operations.CHARTS),
        "ledger": board("ledger", about[3], ledger_board.STATS, ledger_board.CHARTS, SQL),
    }


def main(words: list[str]) -> int:
    """Write every board, or say which is not as it would be written."""
    texts = {
        BOARDS / f"{name}.json": json.dumps(each, indent=2) + "\n"
        for name, each in boards().items()
    }
    if words == ["--check"]:
        strange = set(BOARDS.glob("*.json")) - set(texts)
        other = [path for path, text in texts.items() if not _is_as(path, text)]
        for path in sorted([*strange, *other]):
            sys.stderr.write(f"{path.name} is not what generate.py writes\n")
        return 1 if strange or other else 0
    for path, text in texts.items():
        path.write_text(text)
    return 0


def _is_as(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
