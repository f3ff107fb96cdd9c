"""The image, the stack and Prometheus: every name in one file is found in the file it means.

No image is built and no container started here: there is no engine among the tests' needs. What
`docker compose` makes of the stack, and what the stack runs first: `test_stack`.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.settings import Settings
from tests.deploy.conftest import judged

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
STACK = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
PROVISIONING = DEPLOY / "grafana" / "provisioning"
Program = Callable[[str], str]
WANTS_ALL = os.environ.get("GATEWAY_TEST_ALL") == "1"


def last(instruction: str) -> str:
    found = re.findall(rf"^{instruction} +(.+)$", DOCKERFILE, re.MULTILINE)
    assert found, instruction
    return str(found[-1])


def volumes(service: str) -> dict[str, str]:
    """Where in the container → what of ours, or which named volume."""
    pairs = (each.split(":") for each in SERVICES[service].get("volumes", []))
    return {pair[1]: pair[0] for pair in pairs}


def test_the_image_installs_nothing_that_is_not_pinned() -> None:
    installs = re.findall(r"pip install ([^\\\n]+)", DOCKERFILE)
    assert len(installs) == 1
    assert "--require-hashes -r /tmp/requirements.lock" in installs[0]


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert last("USER") == "10001:10001"


def test_the_image_serves_without_a_shell_between_it_and_its_signals() -> None:
    assert json.loads(last("CMD")) == ["gateway", "serve", "--host", "0.0.0.0"]


def test_the_image_says_whether_it_lives() -> None:
    probe = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert probe[:2] == ["python", "-c"]
    compile(probe[2], "HEALTHCHECK", "exec")
    assert f"127.0.0.1:{last('EXPOSE')}/livez" in probe[2]


def test_the_image_is_one_python() -> None:
    images = set(re.findall(r"^FROM python:(3\.\d+)-slim", DOCKERFILE, re.MULTILINE))
    assert images == set(re.findall(r"/lib/python(3\.\d+)/", DOCKERFILE))


def test_what_is_copied_exists_and_is_let_through() -> None:
    let_through = set((ROOT / ".dockerignore").read_text().replace("!", "").split())
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for words in copies for name in words.split()}
    assert names <= let_through
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_setting_that_is_set_is_one() -> None:
    texts = [DOCKERFILE, *(path.read_text() for path in DEPLOY.glob("compose*.yaml"))]
    names = {name.lower() for text in texts for name in re.findall(r"\bGATEWAY_(\w+)[=:]", text)}
    known = set(Settings.model_fields)
    for section, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        known |= {f"{section}_{name}" for name in inner}
    board = (PROVISIONING / "datasources" / "ledger.yaml").read_text()
    known |= {name.lower() for name in re.findall(r"\$GATEWAY_(\w+)", board)}  # Grafana's
    assert names
    assert names - known == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_refers_to_what_exists(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("depends_on", [])) <= set(SERVICES)
    for source in volumes(name).values():
        known = (DEPLOY / source).exists() if source.startswith(".") else source in STACK["volumes"]
        assert known, f"{name} mounts {source}"
    if "build" in service:
        context = DEPLOY / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).exists()


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_loopback_only(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_foreign_images_are_pinned_to_a_version() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert images
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?$", image)] == []


def test_what_ends_by_mistake_is_started_again() -> None:
    once = [name for name, one in SERVICES.items() if "restart" not in one]
    assert once == ["secrets", "migrate", "demo-key"]


def test_the_gateway_is_given_long_enough_to_drain() -> None:
    minutes = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 > Settings().drain.seconds_max


def test_prometheus_asks_the_gateway_with_its_token() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert host in SERVICES
    assert port == last("EXPOSE")
    token = job["authorization"]["credentials_file"]
    assert token == SERVICES["gateway"]["environment"]["GATEWAY_ADMIN_TOKEN_FILE"]
    assert volumes("prometheus")[str(Path(token).parent)] == volumes("gateway")["/secrets"]


def test_prometheus_takes_its_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None and not WANTS_ALL:
        pytest.skip("promtool is not installed")
    assert promtool, "GATEWAY_TEST_ALL wants promtool (Debian's package prometheus)"
    file = str(DEPLOY / "prometheus" / "prometheus.yml")
    command = [promtool, "check", "config", "--syntax-only", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_grafana_is_provisioned_with_what_the_stack_has() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    board = yaml.safe_load((PROVISIONING / "dashboards" / "gateway.yaml").read_text())
    assert (source["apiVersion"], board["apiVersion"]) == (1, 1)
    (prometheus,) = source["datasources"]
    assert prometheus["url"].split("/")[2].split(":")[0] in SERVICES
    assert prometheus["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    (provider,) = board["providers"]
    mounted = volumes("grafana")
    assert mounted[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./grafana/provisioning"


def test_hadolint_finds_nothing(program: Program, tmp_path: Path) -> None:
    assert judged(program("hadolint"), DEPLOY / "Dockerfile") == ""
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.replace("python:3.11-slim", "python"))
    assert "DL3006" in judged(program("hadolint"), worse, holds=False)
