"""The boards: generated, parsed as PromQL, and asking for nothing that the gateway does not export.

Grafana itself is not among the tests' needs: how a board looks is not proved here.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from gateway.adapters.metrics import METRIC_NAMES

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = {path.name: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]
MACROS = {"$__rate_interval": "1m", "$__range": "6h"}
SUFFIXES = ("_total", "_bucket", "_sum", "_count")
VARIABLES = {"datasource", "job", "instance", "tenant", "model"}


def expressions(panel: dict[str, Any]) -> Iterator[str]:
    for target in panel["targets"]:
        text = target["expr"]
        for macro, value in MACROS.items():
            text = text.replace(macro, value)
        yield text


def is_exported(name: str) -> bool:
    families = {name, *(name.removesuffix(suffix) for suffix in SUFFIXES)}
    return bool(families & METRIC_NAMES)


def test_the_boards_are_what_the_generator_writes() -> None:
    command = [sys.executable, str(GRAFANA / "generate.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run deploy/grafana/generate.py"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_what_is_exported(panel: dict[str, Any]) -> None:
    for text in expressions(panel):
        promql_parser.parse(text)
        names = set(re.findall(r"\bgateway_\w+", text))
        assert names, text
        assert [name for name in names if not is_exported(name)] == []


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_only_about_what_was_chosen(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        for labels in re.findall(r"gateway_\w+\{([^}]*)\}", target["expr"]):
            assert 'job=~"$job"' in labels
            assert 'instance=~"$instance"' in labels
        assert "gateway_" not in re.sub(r"gateway_\w+\{", "", target["expr"]), "no matchers"


@pytest.mark.parametrize("panel", PANELS)
def test_a_counter_is_only_asked_for_its_pace(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        paced = r"(?:rate|increase)\(gateway_\w+_total\{[^}]*\}\[\$__(?:rate_interval|range)\]\)"
        assert not re.search(r"gateway_\w+_total", re.sub(paced, "", target["expr"]))


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_its_words_and_its_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].strip()
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_can_be_narrowed_and_is_in_utc(name: str) -> None:
    board = BOARDS[name]
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert set(variables) == VARIABLES
    assert [name for name, each in variables.items() if each.get("refresh", 2) != 2] == []
    queried = " ".join(each["query"]["query"] for each in variables.values() if each.get("multi"))
    assert [each for each in re.findall(r"gateway_\w+", queried) if not is_exported(each)] == []
    assert board["timezone"] == "utc"
    assert not board["editable"]
    assert board["uid"]


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_panels_lie_on_each_other(name: str) -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARDS[name]["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
