"""Where settings come from, and what every mistake is answered with."""

from pathlib import Path

import pytest

from gateway.config.fields import FIELDS
from gateway.config.settings import Settings
from gateway.config.sources import ConfigInvalid, load_settings, origins


def problems_of(
    config: Path | None = None, flags: dict[str, object] | None = None
) -> tuple[str, ...]:
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(config, flags=flags)
    return caught.value.problems


def written(text: str, name: str = "gateway.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def test_without_anything_all_is_default() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert set(origins(settings).values()) == {"default"}
    assert origins(settings).keys() == FIELDS.keys()


def test_file_then_environment_then_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    written('host = "10.0.0.1"\nport = 1\n[upstream]\nidle_seconds = 7\nconnections_max = 3')
    monkeypatch.setenv("GATEWAY_PORT", "2")
    monkeypatch.setenv("GATEWAY_UPSTREAM_IDLE_SECONDS", "8.5")
    settings = load_settings(flags={"upstream.idle_seconds": 9, "host": None})
    assert (settings.host, settings.port) == ("10.0.0.1", 2)
    assert (settings.upstream.idle_seconds, settings.upstream.connections_max) == (9.0, 3)
    said_by = origins(settings)
    assert said_by["host"] == "file gateway.toml"
    assert said_by["port"] == "environment GATEWAY_PORT"
    assert said_by["upstream.idle_seconds"] == "flag --upstream-idle-seconds"
    assert said_by["upstream.connections_max"] == "file gateway.toml"
    assert said_by["log.level"] == "default"


def test_which_file(monkeypatch: pytest.MonkeyPatch) -> None:
    written("port = 1")
    written("port = 2", "named.toml")
    assert load_settings().port == 1
    monkeypatch.setenv("GATEWAY_CONFIG", "named.toml")
    assert load_settings().port == 2
    assert load_settings(Path("gateway.toml")).port == 1


def test_a_file_that_was_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems_of(Path("no.toml")) == ("no.toml: cannot be read: No such file or directory",)
    monkeypatch.setenv("GATEWAY_CONFIG", "none.toml")
    assert problems_of() == ("none.toml: cannot be read: No such file or directory",)


def test_broken_files() -> None:
    assert problems_of(written("port = "))[0].startswith("gateway.toml: is not TOML: ")
    Path("gateway.toml").write_bytes(b"\xff")
    assert problems_of()[0].startswith("gateway.toml: is not TOML: ")


def test_unknown_names_in_the_file() -> None:
    path = written("prot = 1\n[upstrem]\nbase_url = 'x'\n[limits]\nzzz = 1\n[upstream.more]\na = 1")
    assert problems_of(path) == (
        "gateway.toml: unknown setting prot; did you mean port?",
        "gateway.toml: unknown setting upstrem.base_url; did you mean upstream.base_url?",
        "gateway.toml: unknown setting limits.zzz; `gateway config show` lists all",
        "gateway.toml: unknown setting upstream.more; did you mean upstream.transport?",
    )


def test_unknown_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABSE_URL", "sqlite:///x.db")
    monkeypatch.setenv("GATEWAY_UPSTREAM", "{}")
    assert problems_of() == (
        "environment: unknown variable GATEWAY_DATABSE_URL; did you mean GATEWAY_DATABASE_URL?",
        "environment: unknown variable GATEWAY_UPSTREAM; did you mean GATEWAY_UPSTREAM_CA_FILE?",
    )


@pytest.mark.parametrize(
    "name",
    [
        "GATEWAY_TEST_DATABASE_URL", "GATEWAY_VENV", "GATEWAY_SERVICE_HOST",
        "GATEWAY_SERVICE_PORT_HTTP", "GATEWAY_PORT_8080_TCP", "GATEWAY_PORT_8080_TCP_ADDR",
    ],
)  # fmt: skip
def test_variables_that_are_not_ours_to_refuse(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "anything")
    assert load_settings() == Settings()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN_PORT", "")
    assert load_settings().admin.port is None


def test_no_secret_in_a_file() -> None:
    path = written(
        '[upstream]\napi_key = "sk-1"\nproxy_url = "http://a:b@proxy"\n[admin]\ntoken = "t-1"'
    )
    said = "is a secret, which no configuration file may hold: set"
    assert problems_of(path) == (
        (
            f"gateway.toml: upstream.api_key {said} GATEWAY_UPSTREAM_API_KEY, "
            "or name a file with upstream.api_key_file"
        ),
        f"gateway.toml: upstream.proxy_url {said} GATEWAY_UPSTREAM_PROXY_URL",
        (
            f"gateway.toml: admin.token {said} GATEWAY_ADMIN_TOKEN, "
            "or name a file with admin.token_file"
        ),
    )


def test_values_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    written("[limits]\nqueue_length_max = -1")
    monkeypatch.setenv("GATEWAY_PORT", "abc")
    monkeypatch.setenv("GATEWAY_UPSTREAM_BASE_URL", "https://u:word@api.example")
    assert problems_of(flags={"log.level": "loud"}) == (
        (
            "environment GATEWAY_PORT: port = 'abc': "
            "input should be a valid integer, unable to parse string as an integer"
        ),
        (
            "environment GATEWAY_UPSTREAM_BASE_URL: upstream.base_url: "
            "must not hold a user name or password"
        ),
        "gateway.toml: limits.queue_length_max = -1: input should be greater than or equal to 1",
        (
            "flag --log-level: log.level = 'loud': "
            "input should be 'debug', 'info', 'warning' or 'error'"
        ),
    )


def test_a_rule_over_a_section_names_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_UPSTREAM_API_KEY", "sk-hidden")
    monkeypatch.setenv("GATEWAY_UPSTREAM_API_KEY_FILE", "key")
    assert problems_of() == ("upstream: api_key and api_key_file are both set: keep one",)


def test_a_service_link_of_kubernetes_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "tcp://10.0.0.1:8080")
    assert "set enableServiceLinks to false" in problems_of()[0]
