"""The list of settings that `config show` and the documentation read."""

import pytest

from gateway.config.fields import FIELDS, has_password, shown
from gateway.config.sections import Database, Upstream
from gateway.config.settings import Settings
from gateway.config.values import Secret


def test_every_setting_has_words() -> None:
    assert [name for name, field in FIELDS.items() if not field.description.endswith(".")] == []


def test_names_and_variables() -> None:
    names = {
        "host": "GATEWAY_HOST",
        "port": "GATEWAY_PORT",
        "state_dir": "GATEWAY_STATE_DIR",
        "database.url": "GATEWAY_DATABASE_URL",
        "upstream.base_url": "GATEWAY_UPSTREAM_BASE_URL",
        "upstream.api_key": "GATEWAY_UPSTREAM_API_KEY",
        "upstream.api_key_file": "GATEWAY_UPSTREAM_API_KEY_FILE",
        "prices.file": "GATEWAY_PRICES_FILE",
        "admin.port": "GATEWAY_ADMIN_PORT",
        "admin.token": "GATEWAY_ADMIN_TOKEN",
        "admin.token_file": "GATEWAY_ADMIN_TOKEN_FILE",
    }
    assert {name: FIELDS[name].variable for name in names} == names


def test_no_two_settings_share_a_variable() -> None:
    assert len({field.variable for field in FIELDS.values()}) == len(FIELDS)


def test_units_follow_the_names() -> None:
    for name, field in FIELDS.items():
        word = name.removesuffix("_max").rpartition("_")[2].rpartition(".")[2]
        assert field.unit == (word if word in ("seconds", "bytes") else ""), name


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_setting_can_be_shown(name: str) -> None:
    shown(Settings(), name)


def test_secrets_and_passwords_are_not_shown() -> None:
    settings = Settings(
        database=Database(url="postgresql+psycopg://gw:s3cret@db/gw"),
        upstream=Upstream(api_key=Secret("sk-1"), proxy_url="http://a:p@ss@proxy"),
    )
    assert shown(settings, "upstream.api_key") == "***"
    assert shown(settings, "database.url") == "postgresql+psycopg://gw:***@db/gw"
    assert shown(settings, "upstream.proxy_url") == "http://a:***@proxy"
    assert shown(settings, "admin.token") is None
    assert shown(settings, "upstream.idle_seconds") == 300.0


def test_addresses_with_a_password() -> None:
    assert has_password("postgresql+psycopg://u:p@h/d")
    assert has_password("postgresql+psycopg://u:p/q@h/d")
    assert not has_password("postgresql+psycopg://u@h/d")
    assert not has_password(5)
