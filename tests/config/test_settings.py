"""Settings as a whole."""

import pickle
from pathlib import Path

import pytest

from gateway.config.sections import Database, Upstream
from gateway.config.settings import Settings, warnings


def test_built_by_hand_they_read_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "99")
    assert Settings().port == 8080


def test_the_database_lives_in_the_state_folder_unless_told_otherwise() -> None:
    assert Settings().database.url == "sqlite:///.gateway/gateway.db"
    assert (
        Settings(state_dir=Path("/var/lib/gw")).database.url == "sqlite:////var/lib/gw/gateway.db"
    )
    chosen = Settings(state_dir=Path("/x"), database=Database(url="sqlite:///other.db"))
    assert chosen.database.url == "sqlite:///other.db"


def test_they_travel_to_other_processes_unchanged() -> None:
    settings = Settings(port=1, state_dir=Path("/x"))
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_plain_http_warns_off_loopback_only() -> None:
    def warned(base_url: str) -> list[str]:
        return warnings(Settings(upstream=Upstream(base_url=base_url)))

    assert "unencrypted" in warned("http://api.example/v1")[0]
    assert warned("http://127.0.0.1:9/v1") == []
    assert warned("https://api.example/v1") == []
