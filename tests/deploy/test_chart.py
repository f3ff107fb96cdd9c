"""The Helm chart: what it makes is what Kubernetes takes, and what the program and the image have.

No cluster is asked. The schemas know nothing of the Prometheus operator's kinds: its rules are
compared with those that promtool judges, and of a monitor only what it points at is looked at.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import gateway
from gateway.config.fields import FIELDS
from gateway.config.settings import Settings
from tests.deploy.conftest import judged

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = DEPLOY / "helm"
BOARDS = {path.name: json.loads(path.read_text()) for path in DEPLOY.glob("grafana/dashboards/*")}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
ALL = {f"{part}.enabled" for part in ("serviceMonitor", "dashboards", "networkPolicy")}
Program = Callable[[str], str]
Made = dict[str, Any]


@pytest.fixture
def helm(program: Program, tmp_path: Path) -> Callable[..., str]:
    folders = {f"HELM_{name}_HOME": str(tmp_path) for name in ("CACHE", "CONFIG", "DATA")}

    def run(*words: str, holds: bool = True) -> str:
        return judged(program("helm"), *words, env=folders, holds=holds)

    return run


def rendered(helm: Callable[..., str], values: set[str] = ALL) -> list[Made]:
    options = [f"--set={name}=true" for name in sorted(values)]
    return list(yaml.safe_load_all(helm("template", "one", str(CHART), *options)))


def of_kind(made: list[Made], kind: str) -> list[Made]:
    return [each for each in made if each["kind"] == kind]


def pod(made: list[Made]) -> Made:
    (one,) = of_kind(made, "StatefulSet")
    spec: Made = one["spec"]["template"]["spec"]
    return spec


def test_helm_finds_nothing(helm: Callable[..., str]) -> None:
    helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize("values", [set(), ALL], ids=["plain", "all"])
def test_kubernetes_takes_it(
    helm: Callable[..., str], packages: Path, tmp_path: Path, values: set[str]
) -> None:
    made = [each for each in rendered(helm, values) if each["kind"] != "ServiceMonitor"]
    file = tmp_path / "made.yaml"
    validate = (sys.executable, "-m", "kubernetes_validate", "--strict", "--no-warn", str(file))
    env = {"PYTHONPATH": str(packages)}
    file.write_text(yaml.safe_dump_all(made))
    judged(*validate, env=env)
    file.write_text(yaml.safe_dump_all(made).replace("replicas:", "replicaz:"))
    assert "replicaz" in judged(*validate, env=env, holds=False)


def test_every_setting_is_one_and_every_secret_is_asked_for(helm: Callable[..., str]) -> None:
    made = rendered(helm)
    (container,) = pod(made)["containers"]
    known = {field.variable for field in FIELDS.values()}
    assert {each["name"] for each in container["env"]} <= known
    values = (CHART / "values.yaml").read_text()
    kept = {item["key"] for volume in pod(made)["volumes"] for item in secret_items(volume)}
    kept |= {each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"][:1]}
    assert kept == {"database_url", "upstream_api_key", "admin_token"}
    assert [name for name in kept if name not in values] == []
    files = {each["value"] for each in container["env"] if each["name"].endswith("_FILE")}
    assert files == {f"/secrets/{name}" for name in kept - {"database_url"}}


def secret_items(volume: Made) -> list[Made]:
    items: list[Made] = volume.get("secret", {}).get("items", [])
    return items


def test_a_pod_runs_as_the_image_does_and_can_write_to_its_volumes_alone(
    helm: Callable[..., str],
) -> None:
    spec = pod(rendered(helm))
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    context = spec["securityContext"]
    assert [(str(context["runAsUser"]), str(context["runAsGroup"]))] == user
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounts = {each["mountPath"] for each in container["volumeMounts"]}
        assert mounts == {"/var/lib/gateway", "/secrets", "/tmp"}
    assert "GATEWAY_STATE_DIR=/var/lib/gateway" in DOCKERFILE


def test_a_pod_is_given_time_to_end(helm: Callable[..., str]) -> None:
    spec = pod(rendered(helm))
    pause = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
    seconds = int(re.findall(r"sleep\((\d+)\)", pause)[0])
    assert spec["terminationGracePeriodSeconds"] > seconds + Settings().shutdown.seconds_max


def test_services_probes_and_monitors_find_the_port(helm: Callable[..., str]) -> None:
    made = rendered(helm)
    (container,) = pod(made)["containers"]
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in DOCKERFILE
    name = container["ports"][0]["name"]
    ports = [port for service in of_kind(made, "Service") for port in service["spec"]["ports"]]
    assert {port["targetPort"] for port in ports} == {name}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == name
    (monitor,) = of_kind(made, "ServiceMonitor")
    assert {each["port"] for each in monitor["spec"]["endpoints"]} == {name}
    absent = monitor["spec"]["selector"]["matchExpressions"][0]["key"]
    found = [one for one in of_kind(made, "Service") if absent not in one["metadata"]["labels"]]
    assert len(found) == 1, "each pod is asked once"


def test_boards_are_the_very_ones(helm: Callable[..., str]) -> None:
    maps = of_kind(rendered(helm), "ConfigMap")
    found = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    assert found == BOARDS


def test_rules_are_the_very_ones(helm: Callable[..., str], tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)  # what is linked to is copied
    planted = [{"name": "planted", "rules": [{"record": "one", "expr": "vector(1)"}]}]
    (chart / "files" / "prometheus" / "one.yml").write_text(yaml.safe_dump({"groups": planted}))
    words = ("template", "one", str(chart), "--set=prometheusRule.enabled=true")
    (rule,) = of_kind(list(yaml.safe_load_all(helm(*words))), "PrometheusRule")
    read = [yaml.safe_load(path.read_text()) for path in DEPLOY.glob("prometheus/**/*.y*ml")]
    groups = [group for file in read for group in file.get("groups", [])]
    assert sorted(rule["spec"]["groups"], key=str) == sorted([*groups, *planted], key=str)


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (gateway.__version__,) * 2
