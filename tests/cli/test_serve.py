"""`gateway serve`: what stops it from starting is one clear line, never a traceback."""

import socket
import sqlite3
from pathlib import Path

import pytest

from tests.cli.commands import Gateway, Said, command

DATABASE = Path(".gateway/gateway.db")


def line(said: Said, code: int) -> str:
    """The one line that says what is wrong."""
    assert said.code == code, said.err
    lines = [one for one in said.err.splitlines() if "warning:" not in one]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("gateway: ")
    assert said.out == ""
    return lines[0]


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = line(command("serve", "--port", str(port)), 1)
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "in use" in said
    assert "--port (0 takes a free port)" in said


def test_off_loopback_without_an_admin_token_it_warns_with_the_setting() -> None:
    DATABASE.parent.mkdir()
    DATABASE.write_text("no database " * 100, encoding="utf-8")  # so that it ends by itself
    away = ("serve", "--host", "0.0.0.0", "--port", "0")
    assert "warning: no GATEWAY_ADMIN_TOKEN_FILE" in command(*away).err
    for quiet in (command("serve", "--port", "0"), command(*away, GATEWAY_ADMIN_TOKEN="t" * 64)):
        assert "GATEWAY_ADMIN_TOKEN" not in quiet.err


def test_workers_without_number_are_refused(gateway: Gateway) -> None:
    assert "workers" in line(gateway("serve", "--workers", "0"), 3)


def test_a_database_of_another_program_is_refused() -> None:
    DATABASE.parent.mkdir()
    with sqlite3.connect(DATABASE) as other:
        other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    assert "gateway migrate" in line(command("serve", "--port", "0"), 4)


def test_an_outdated_schema_is_refused_with_the_advice() -> None:
    assert command("migrate").code == 0
    with sqlite3.connect(DATABASE) as older:
        older.execute("UPDATE alembic_version SET version_num = '0000'")
    older.close()
    assert "gateway migrate" in line(command("serve", "--port", "0"), 4)


def test_a_file_that_is_no_database_is_refused() -> None:
    DATABASE.parent.mkdir()
    DATABASE.write_text("This is a letter to my grandmother. " * 100, encoding="utf-8")
    assert "not a database" in line(command("serve", "--port", "0"), 4)


@pytest.mark.parametrize(
    ("text", "named"),
    [("[models", "prices.toml"), ("schema = 1\n[models.x]\ninput = -1\n", "prices.toml")],
    ids=["no_toml", "no_prices"],
)
def test_a_bad_price_file_is_named(text: str, named: str) -> None:
    Path("prices.toml").write_text(text, encoding="utf-8")
    for workers in ("1", "2"):  # what more than one would say is said once
        said = command(
            "serve", "--port", "0", "--workers", workers, GATEWAY_PRICES_FILE="prices.toml"
        )
        assert named in line(said, 3)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_used_are_named(text: str | None) -> None:
    if text is not None:
        Path("ca.pem").write_text(text, encoding="utf-8")
    said = command("serve", "--port", "0", GATEWAY_UPSTREAM_CA_FILE="ca.pem")
    assert "upstream.ca_file: ca.pem: " in line(said, 3)


@pytest.mark.parametrize("name", ["URL", "SECRET"])
def test_a_webhook_that_cannot_be_used_is_named_and_not_shown(name: str) -> None:
    environment = {"GATEWAY_ALERTS_WEBHOOK_URL": "https://hooks.example"}
    environment[f"GATEWAY_ALERTS_WEBHOOK_{name}"] = "canary"
    said = line(command("serve", "--port", "0", **environment), 3)
    assert "the webhook's" in said
    assert "canary" not in said


def test_a_state_folder_that_is_none_is_named() -> None:
    Path("state").touch()
    environment = {"GATEWAY_STATE_DIR": "state", "GATEWAY_DATABASE_URL": "sqlite:///gateway.db"}
    assert "state_dir: state: " in line(command("serve", "--port", "0", **environment), 4)


def test_a_price_file_that_is_not_there_is_named() -> None:
    said = command("serve", "--port", "0", GATEWAY_PRICES_FILE="nowhere.toml")
    assert "nowhere.toml" in line(said, 3)
