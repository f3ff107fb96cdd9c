"""The stack as `docker compose` understands it, and the scripts that it runs first, for real.

No container is started here: there is no engine among the tests' needs.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.deploy.conftest import judged
from tests.fakes import postgres

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DEMO = {"simulator", "demo-key", "traffic"}
STACK, IN_A_FILE = DEPLOY / "compose.yaml", DEPLOY / "compose.sqlite.yaml"
PAID = {"GATEWAY_UPSTREAM_API_KEY": "sk-paid"}
Program = Callable[[str], str]
Script = Callable[..., dict[str, str]]


def services(program: Program, *files: Path, **options: str) -> dict[str, dict[str, Any]]:
    words = [f"--file={file}" for file in files]
    words += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    env = {} if options else PAID
    said = judged(program("docker-compose"), *words, "config", "--format=json", env=env)
    found: dict[str, dict[str, Any]] = json.loads(said)["services"]
    return found


def test_compose_takes_the_stack_and_asks_for_a_key(program: Program) -> None:
    found = services(program, STACK)
    assert not DEMO & set(found)
    assert found["gateway"]["environment"]["GATEWAY_UPSTREAM_BASE_URL"].startswith("https://")
    said = judged(program("docker-compose"), f"--file={STACK}", "config", holds=False)
    assert "GATEWAY_UPSTREAM_API_KEY" in said


def test_the_demo_asks_a_simulator_by_itself(program: Program) -> None:
    found = services(program, STACK, env_file=str(DEPLOY / "demo.env"))
    assert set(found) >= DEMO
    address = found["gateway"]["environment"]["GATEWAY_UPSTREAM_BASE_URL"]
    assert address == f"http://simulator:{found['simulator']['command'][-1]}/v1"


def test_the_ledger_in_a_file_is_the_same_stack_without_a_server(program: Program) -> None:
    with_server, found = services(program, STACK), services(program, STACK, IN_A_FILE)
    assert set(with_server) - set(found) == {"postgres"}
    for name in ("migrate", "gateway"):
        environment = found[name]["environment"]
        assert (environment["GATEWAY_DATABASE_URL"], environment["PGPASSFILE"]) == ("", "")
    waited_for = {name for one in found.values() for name in one.get("depends_on") or {}}
    assert waited_for <= set(found)


def test_what_waits_for_an_end_waits_for_what_ends(program: Program) -> None:
    found = services(program, STACK, env_file=str(DEPLOY / "demo.env"))
    once = {name for name, one in found.items() if "restart" not in one}
    waited_for = {
        name
        for one in found.values()
        for name, how in (one.get("depends_on") or {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert waited_for == once == {"secrets", "migrate", "demo-key"}


def test_ours_can_write_to_their_volumes_alone(program: Program) -> None:
    found = services(program, STACK, env_file=str(DEPLOY / "demo.env"))
    ours = {name: one for name, one in found.items() if "build" in one}
    assert len(ours) == 6
    made = set(re.findall(r"(/(?:secrets|credentials|var/lib/gateway)[\w/]*)", DOCKERFILE))
    for one in ours.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        for mount in one.get("volumes", []):
            # a new volume gets its owner from the image's folder of that name
            assert mount["type"] == "bind" or mount["target"] in made


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs a script as the stack does, but for its root; answers with the secrets there are."""
    for name, words in {"python": "", "gateway": "-m gateway"}.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        command.chmod(0o755)
    for folder in ("secrets", "credentials/database", "credentials/demo"):
        (tmp_path / folder).mkdir(parents=True)

    def run(name: str, **variables: str) -> dict[str, str]:
        env = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "GATEWAY_STATE_DIR": str(tmp_path / "state"),
            **variables,
        }
        judged("sh", DEPLOY / "compose" / name, tmp_path, env=env)
        kept = [*(tmp_path / "secrets").iterdir(), *(tmp_path / "credentials").glob("*/*")]
        return {file.name: file.read_text() for file in kept}

    return run


def test_secrets_are_made_once_and_are_postgresql_s_and_its_clients(
    script: Script, tmp_path: Path
) -> None:
    made = script("secrets.sh")
    assert set(made) == {"admin_token", "password", "pgpass"}
    assert min(len(made["admin_token"]), len(made["password"])) >= 40
    assert made["admin_token"] != made["password"]
    assert script("secrets.sh") == made
    pgpass = tmp_path / "credentials" / "database" / "pgpass"
    assert pgpass.stat().st_mode & 0o777 == 0o600
    assert made["pgpass"] == f"postgres:5432:gateway:gateway:{made['password']}\n"


def test_postgresql_lets_in_who_has_that_file(script: Script, tmp_path: Path) -> None:
    made = script("secrets.sh")
    server = postgres.Server()
    try:
        url = server.url
        role = f"CREATE ROLE gateway LOGIN CREATEDB PASSWORD '{made['password']}'"
        postgres.administer(url, role, "CREATE DATABASE gateway OWNER gateway")
        server.ask_for_passwords()
        file = tmp_path / "credentials" / "database" / "pgpass"
        file.write_text(made["pgpass"].replace("postgres:5432", f"127.0.0.1:{url.port}"))
        asked = f"postgresql+psycopg://gateway@127.0.0.1:{url.port}/gateway"
        env = {"PYTHONPATH": str(ROOT), "GATEWAY_DATABASE_URL": asked}
        migrate = (sys.executable, "-m", "gateway", "migrate")
        judged(*migrate, env={**env, "PGPASSFILE": str(file)})
        judged(*migrate, env=env, holds=False)
    finally:
        server.remove()


def test_the_demo_s_key_is_made_once_on_the_stack_s_database(script: Script) -> None:
    with postgres.database(is_empty=True) as url:
        migrate = (sys.executable, "-m", "gateway", "migrate")
        judged(*migrate, env={"PYTHONPATH": str(ROOT), "GATEWAY_DATABASE_URL": url})
        script("demo.sh", GATEWAY_DATABASE_URL=url)
        made = script("demo.sh", GATEWAY_DATABASE_URL=url)
        plain = url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            rows = connection.execute("SELECT count(*) FROM api_key").fetchone()
    assert set(made) == {"key"}
    assert made["key"].startswith("gw_")
    assert rows == (1,)
