"""Settings and database as verbs get them, and what is said when they do not."""

from pathlib import Path

import pytest

from gateway.adapters.database import open_engine
from gateway.cli.access import database, now_us, settings_from
from gateway.cli.exits import SettingsRefused, Unreachable
from tests.cli.commands import Gateway


def test_flags_reach_the_settings() -> None:
    assert settings_from(None, port=5, host=None).port == 5


def test_warnings_are_talk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_UPSTREAM_BASE_URL", "http://api.example/v1")
    settings_from(None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gateway: warning: upstream.base_url is plain http")


def test_a_reader_creates_nothing() -> None:
    with (
        pytest.raises(Unreachable, match="`gateway migrate` creates it"),
        database(settings_from(None)),
    ):
        pass
    assert not Path(".gateway").exists()


def test_a_writer_creates_what_is_missing() -> None:
    with database(settings_from(None), may_create=True) as engine:
        assert engine.dialect.name == "sqlite"
    with database(settings_from(None)):
        pass


def test_a_schema_of_another_version_is_not_touched() -> None:
    engine = open_engine("sqlite:///.gateway/gateway.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
    engine.dispose()
    with (
        pytest.raises(Unreachable, match="run `gateway migrate`"),
        database(settings_from(None), may_create=True),
    ):
        pass


def test_what_is_no_database_is_told(gateway: Gateway) -> None:
    Path(".gateway").mkdir()
    Path(".gateway/gateway.db").write_text("not a database at all " * 100)
    said = gateway("tenants", "list")
    assert (said.code, said.out) == (4, "")
    assert said.err == (
        "gateway: the database at sqlite:///.gateway/gateway.db failed: file is not a database\n"
    )


def test_a_server_that_does_not_answer_is_told_with_what_to_do(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+psycopg://u:s3cret@127.0.0.1:9/db")
    said = gateway("tenants", "list")
    assert said.code == 4
    assert said.err.endswith("; start it, or check GATEWAY_DATABASE_URL\n")
    assert "s3cret" not in said.err


def test_a_folder_that_cannot_be(gateway: Gateway) -> None:
    Path(".gateway").write_text("a file")
    said = gateway("tenants", "create", "acme")
    assert said.code == 4
    assert "cannot be opened" in said.err


def test_a_database_we_do_not_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+psycopg://u:s3cret@/db?x=%zz&connect=1")
    with pytest.raises((SettingsRefused, Unreachable)) as stopped, database(settings_from(None)):
        pass
    assert "s3cret" not in str(stopped.value)


def test_the_clock_counts_microseconds() -> None:
    assert now_us() > 1_700_000_000_000_000
