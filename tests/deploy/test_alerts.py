"""Alerts and what belongs to them: each has its test, its page and its board, and tools take all.

Wants `promtool` and `amtool` (Debian's packages prometheus and prometheus-alertmanager).
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from gateway.adapters.metrics import Metrics
from gateway.cli.program import program
from gateway.config.settings import Settings
from tests.deploy.boards import BOARDS, ROOT, RULES, asked, rules, unknown

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
ALERTS = rules("alert")
PAGES = {path.stem: path.read_text() for path in DEPLOY.glob("runbooks/*.md")}
CASES = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]

every_alert = pytest.mark.parametrize("name", ALERTS)


def run(tool: str, *words: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    found = shutil.which(tool)
    if found is None and os.environ.get("GATEWAY_TEST_ALL") != "1":
        pytest.skip(f"{tool} is not installed")
    assert found, f"GATEWAY_TEST_ALL wants {tool}"
    command = [found, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, input=text, check=False)


def assert_taken(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    assert_taken(run("promtool", "check", "rules", *RULES.glob("*.yml")))
    done = run("promtool", "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    assert_taken(done)


def test_alertmanager_takes_its_example() -> None:
    assert_taken(run("amtool", "check-config", ALERTMANAGER))


def test_prometheus_finds_nothing_to_say_of_the_metrics() -> None:
    metrics = Metrics(version="1.2.3", totals=lambda: {("acme", "today"): 1})
    metrics.tenant_seen("acme", "gpt-test")
    done = run("promtool", "check", "metrics", text=metrics.render().decode())
    assert_taken(done)
    assert done.stdout + done.stderr == ""


def test_each_alert_is_silent_before_and_fires_after() -> None:
    assert_taken(run("promtool", "test", "rules", PROMETHEUS / "tests" / "alerts.yml"))


@pytest.mark.parametrize("names", [{"GatewayDown"}, {*ALERTS} - {"GatewayDown"}], ids=len)
def test_a_rule_with_a_misspelt_metric_fails_its_test(names: set[str], tmp_path: Path) -> None:
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    rules_file = tmp_path / "prometheus" / "rules" / "alerts.yml"
    document = yaml.safe_load(rules_file.read_text())
    for rule in [rule for group in document["groups"] for rule in group["rules"]]:
        if rule["alert"] in names:
            metric = rf"(?<![\w:]){max(asked(rule['expr']))}(?![\w:])"
            rule["expr"] = re.sub(metric, "misspelt", rule["expr"])
    rules_file.write_text(yaml.safe_dump(document))
    tests_file = tmp_path / "prometheus" / "tests" / "alerts.yml"
    tests = yaml.safe_load(tests_file.read_text())
    tests["tests"] = [case for case in tests["tests"] if case["name"] in names]
    tests_file.write_text(yaml.safe_dump(tests))
    done = run("promtool", "test", "rules", tests_file)
    assert done.returncode == 1
    assert {name for name in names if name in done.stdout + done.stderr} == names


@every_alert
def test_an_alert_has_its_test(name: str) -> None:
    (case,) = [case for case in CASES if case["name"] == name]
    quiet, fires = case["promql_expr_test"]
    assert quiet["expr"] == fires["expr"] == 'count by (alertname) (ALERTS{alertstate="firing"})'
    assert quiet["exp_samples"] == []
    assert fires["exp_samples"] == [{"labels": f'{{alertname="{name}"}}', "value": 1}]


@every_alert
def test_an_alert_asks_for_what_is_exported(name: str) -> None:
    assert asked(ALERTS[name]["expr"])
    assert unknown(ALERTS[name]["expr"]) == set()


@pytest.mark.parametrize("rule", rules("record").values(), ids=rules("record"))
def test_a_recorded_series_asks_for_what_is_exported(rule: dict[str, Any]) -> None:
    assert asked(rule["expr"])
    assert unknown(rule["expr"]) == set()
    assert re.fullmatch(r"[a-z_]+:gateway_[a-z_]+:[a-z_\d]+", rule["record"])


@every_alert
def test_an_alert_leads_to_its_page_and_its_board(name: str) -> None:
    rule = ALERTS[name]
    told = rule["annotations"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert told["summary"]
    assert told["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{name}.md"
    found = re.fullmatch(r"\{\{ \$externalLabels\.grafana \}\}/d/([\w-]+)\?orgId=1(.*)",
                         told["dashboard_url"])  # fmt: skip
    assert found
    (board,) = [board for board in BOARDS.values() if board["uid"] == found[1]]
    variables = {each["name"] for each in board["templating"]["list"]}
    assert set(re.findall(r"&var-(\w+)=", found[2])) <= variables


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert set(PAGES) == set(ALERTS)


def test_the_documentation_lists_the_alerts_as_they_are() -> None:
    row = r"^\| \[(\w+)\]\(\.\./deploy/runbooks/\1\.md\) \| (\w+) \| .+ \| (.+) \|$"
    listed = re.findall(row, (ROOT / "docs" / "boards.md").read_text(), re.MULTILINE)
    assert listed == [
        (name, rule["labels"]["severity"], rule.get("for", "at once"))
        for name, rule in ALERTS.items()
    ]


@every_alert
def test_a_page_says_what_it_means_what_to_look_at_and_what_to_do(name: str) -> None:
    titles = re.findall(r"^#+ (.+)$", PAGES[name], re.MULTILINE)
    assert titles == [name, "What it means", "What to look at", "What to do"]


@every_alert
def test_a_page_speaks_of_what_exists(name: str) -> None:
    panels = {panel["title"] for board in BOARDS.values() for panel in board["panels"]}
    text = re.sub(r"\s+", " ", PAGES[name])
    for panel in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text):
        assert panel in panels or panel.startswith("Status") or panel == "what waits"
    for section, field in re.findall(r"`([a-z]+)\.([a-z_]+)`", text):
        inner = getattr(Settings.model_fields[section].annotation, "model_fields", {})
        assert field in inner, f"{section}.{field}"
    for other in re.findall(r"\bGateway[A-Z]\w+", text):
        assert other in ALERTS
    for words in re.findall(r"`gateway ([^`]+)`", text):
        verb(words.split())


def verb(words: list[str]) -> None:
    """Fails where the command line has no such verb, or it has no such option."""
    commands = typer.main.get_command(program)
    command = commands.get_command(None, words[0])  # type: ignore[attr-defined]  # it is a group
    verbs = getattr(command, "commands", {})
    if len(verbs) > 1:
        command = verbs[words[1]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_alertmanager_speaks_of_what_exists() -> None:
    document = yaml.safe_load(ALERTMANAGER.read_text())
    named = re.findall(r'alertname=~?"([^"]+)"', ALERTMANAGER.read_text())
    for pattern in named:
        options = re.fullmatch(r"Gateway\((.+)\)", pattern)
        names = [f"Gateway{each}" for each in options[1].split("|")] if options else [pattern]
        assert set(names) <= set(ALERTS)
    assert 'severity="page"' in str(document["route"])


def test_prometheus_reads_the_rules_and_says_where_links_lead() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (pattern,) = config["rule_files"]
    assert sorted(PROMETHEUS.glob(pattern)) == sorted(RULES.glob("*.yml"))
    links = set(config["global"]["external_labels"])
    text = (RULES / "alerts.yml").read_text()
    assert set(re.findall(r"\$externalLabels\.(\w+)", text)) == links
    (drop,) = config["alerting"]["alert_relabel_configs"]
    assert set(drop["regex"].split("|")) == links
