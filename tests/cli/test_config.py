"""`gateway config show`."""

from pathlib import Path

import pytest

from gateway.config.fields import FIELDS
from tests.cli.commands import Gateway, command


def test_every_setting_is_shown(gateway: Gateway) -> None:
    header, *rows = gateway("config", "show").out.splitlines()
    assert header.split() == ["setting", "value", "unit", "description"]
    assert [row.split()[0] for row in rows] == list(FIELDS)


def test_where_each_value_is_from(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.toml").write_text("[log]\nlevel = 'debug'\n")
    monkeypatch.setenv("GATEWAY_PORT", "9")
    said = gateway("config", "show", "--origin", "--config", "own.toml")
    rows = {line.split()[0]: " ".join(line.split()) for line in said.out.splitlines()}
    assert rows["log.level"].startswith("log.level debug file own.toml The least")
    assert rows["port"].startswith("port 9 environment GATEWAY_PORT The port")
    assert rows["host"].startswith("host 127.0.0.1 default The address")


def test_secrets_are_stars() -> None:
    said = command(
        "config", "show", "--json", GATEWAY_UPSTREAM_API_KEY="sk-hidden", GATEWAY_ADMIN_TOKEN="t-1"
    )
    assert "sk-hidden" not in said.out + said.err
    rows = {row["name"]: row for row in said.json}
    assert rows["upstream.api_key"]["value"] == rows["admin.token"]["value"] == "***"
    assert rows["drain.seconds_max"] == {
        "name": "drain.seconds_max",
        "value": 900.0,
        "unit": "seconds",
        "origin": "default",
        "variable": "GATEWAY_DRAIN_SECONDS_MAX",
        "description": "How long an answer is read on.",
    }
