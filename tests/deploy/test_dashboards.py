"""The boards: generated, parsed as PromQL, and asking for nothing that the gateway does not export.

Grafana itself is not among the tests' needs: how a board looks is not proved here. That its
questions are answered is `test_board_live`'s, and the ledger board's SQL `test_ledger_board`'s.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.deploy.boards import BOARDS, GRAFANA, PANELS, asked, exprs, promql, rules, sqls, unknown

PROMETHEUS = {"datasource", "job", "instance", "tenant", "model"}
SQL = {"ledger", "tenant", "model"}
MONEY = re.compile(r"_usd_total\b")
PACED = re.compile(r"(?:rate|increase)\([\w:]+\{[^}]*\}\[\$__(?:rate_interval|range)\]\)")

every_panel = pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
every_board = pytest.mark.parametrize("name", BOARDS)


def sums_money(expr: str) -> bool:
    """Whether it takes a counter for a ledger: what it gained in a time is not what was spent."""
    totals = re.findall(r"\b(?:increase|delta|idelta|irate)\(([^\[]*)\[", expr)
    ranged = re.findall(r"\w+_usd_total\{[^}]*\}\[\$__range\]", expr)
    return bool(ranged) or any(MONEY.search(each) for each in totals)


def test_the_four_boards_are_there() -> None:
    assert set(BOARDS) == {"cost", "budgets", "operations", "ledger"}


def test_the_boards_are_what_the_generator_writes(tmp_path: Path) -> None:
    command = [sys.executable, str(GRAFANA / "generate.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run deploy/grafana/generate.py"
    for path in GRAFANA.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "cost.json").write_text("{}")
    command[1] = str(tmp_path / "generate.py")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cost.json is not what generate.py writes" in done.stderr


@every_panel
def test_a_panel_asks_for_what_is_exported(panel: dict[str, Any]) -> None:
    for expr in exprs(panel):
        promql_parser.parse(promql(expr))
        assert asked(expr), expr
        assert unknown(expr) == set()


def test_a_misspelt_metric_is_found() -> None:
    assert unknown('sum(rate(gateway_requets_total{job=~"$job"}[5m])) / up{}') == {
        "gateway_requets_total"
    }
    assert unknown("tenant:gateway_nothing:rate1h{} > 0") == {"tenant:gateway_nothing:rate1h"}
    assert unknown('histogram_quantile(0.9, gateway_overhead_seconds_bucket{le="1"})') == set()


@every_panel
def test_a_panel_says_what_it_asks(panel: dict[str, Any]) -> None:
    for expr in exprs(panel):
        for name in asked(expr):
            told = re.sub(r"_(?:bucket|sum|count)$", "", name)
            assert told in panel["description"]
    for text in sqls(panel):
        for table in re.findall(r"\b(?:FROM|JOIN) ([a-z_]+)", text):
            assert table in panel["description"] or table in ("api_key", "entry")


@every_panel
def test_a_panel_asks_only_about_what_was_chosen(panel: dict[str, Any]) -> None:
    for expr in exprs(panel):
        for name, labels in re.findall(r"(gateway_\w+|[\w]+:[\w:]+|up)\{([^}]*)\}", expr):
            assert 'job=~"$job"' in labels
            assert 'instance=~"$instance"' in labels or ":" in name
        assert "gateway_" not in re.sub(r"[\w:]*gateway_[\w:]+\{", "", expr), "no matchers"
    for text in sqls(panel):
        assert "${tenant:sqlstring}" in text
        assert "$__unixEpochFrom()" in text or "FROM hold" in text or "FROM budget" in text


@every_panel
def test_a_counter_is_only_asked_for_its_pace(panel: dict[str, Any]) -> None:
    for expr in exprs(panel):
        assert not re.search(r"gateway_\w+_total", PACED.sub("", expr))
        assert not sums_money(expr)
        ranges = set(re.findall(r"\[([^\]]*)\]", expr))
        assert ranges <= {"$__rate_interval", "$__range"}


def test_money_by_a_counters_increase_is_found() -> None:
    assert sums_money("sum(increase(gateway_cost_usd_total{}[$__range]))")
    assert sums_money("sum(rate(gateway_cost_usd_total{}[$__range])) * 3600")
    assert not sums_money("3600 * sum(rate(gateway_cost_usd_total{}[$__rate_interval]))")
    assert not sums_money("sum(increase(gateway_requests_total{}[$__range]))")


@pytest.mark.parametrize("rule", [*rules("alert").values(), *rules("record").values()])
def test_no_rule_takes_a_counter_for_a_ledger(rule: dict[str, Any]) -> None:
    assert not sums_money(rule["expr"])


@every_panel
def test_a_panel_has_its_words_and_its_unit(panel: dict[str, Any]) -> None:
    source = "${ledger}" if list(sqls(panel)) else "${datasource}"
    assert panel["title"]
    assert panel["description"].strip()
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == source
    assert panel["targets"]
    assert all(target["datasource"]["uid"] == source for target in panel["targets"])


@every_board
def test_a_board_can_be_narrowed_and_is_in_utc(name: str) -> None:
    board = BOARDS[name]
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert set(variables) == (SQL if name == "ledger" else PROMETHEUS)
    assert [name for name, each in variables.items() if each.get("refresh", 2) != 2] == []
    if name != "ledger":
        queried = [each["query"]["query"] for each in variables.values() if each.get("multi")]
        assert [each for each in queried if unknown(each.replace("label_values", ""))] == []
    assert board["timezone"] == "utc"
    assert not board["editable"]
    assert board["uid"] == f"gateway-{name}"


@every_board
def test_a_board_leads_to_the_others_and_takes_the_choice_along(name: str) -> None:
    (link,) = BOARDS[name]["links"]
    assert link["type"] == "dashboards"
    assert link["includeVars"]
    assert link["keepTime"]
    assert all(set(link["tags"]) <= set(board["tags"]) for board in BOARDS.values())


@every_board
def test_no_two_panels_lie_on_each_other_and_no_row_has_a_hole(name: str) -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARDS[name]["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    first = [place for place in cells if place[1] == 0]
    assert len(first) == 24


def test_the_provisioning_is_what_grafana_reads() -> None:
    sources = {}
    for path in GRAFANA.glob("provisioning/datasources/*.yaml"):
        document = yaml.safe_load(path.read_text())
        assert document["apiVersion"] == 1
        for each in document["datasources"]:
            assert {"name", "uid", "type", "url", "access"} <= set(each)
            sources[each["type"]] = each["uid"]
    used = {panel["datasource"]["type"] for panel in PANELS.values()}
    assert used == set(sources)
    assert len(set(sources.values())) == len(sources)
    assert not [path for path in GRAFANA.glob("dashboards/*") if not json.loads(path.read_text())]
