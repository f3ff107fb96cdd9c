"""Sections: what a value may be."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config.sections import Admin, Alerts, Database, Limits, Upstream
from gateway.config.values import Secret


def test_an_upstream_address_loses_its_trailing_slash() -> None:
    assert Upstream(base_url="https://api.example/v1/").base_url == "https://api.example/v1"


@pytest.mark.parametrize(
    "address",
    [
        "api.openai.com/v1",
        "ftp://api.example",
        "https://",
        "https://user:word@api.example/v1",
        "https://api.example/v1?key=1",
        "https://api.example/v1#top",
    ],
)
def test_what_is_no_plain_http_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        Upstream(base_url=address)


def test_a_regional_endpoint_is_known_and_an_unknown_one_refused() -> None:
    assert Upstream(base_url="https://eu.api.openai.com/v1").region == "eu"
    assert Upstream().region is None
    with pytest.raises(ValidationError, match="region that is not known"):
        Upstream(base_url="https://mars.api.openai.com/v1")


def test_a_proxy_may_ask_for_a_password() -> None:
    assert Upstream(proxy_url="http://me:word@proxy:3128").proxy_url == "http://me:word@proxy:3128"
    with pytest.raises(ValidationError):
        Upstream(proxy_url="proxy:3128")


@pytest.mark.parametrize("url", ["sqlite:///x.db", "postgresql+psycopg://u@host/db"])
def test_known_databases(url: str) -> None:
    assert Database(url=url).url == url


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///", "x.db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="postgresql\\+psycopg"):
        Database(url=url)


def test_a_secret_comes_from_one_place() -> None:
    with pytest.raises(ValidationError, match="api_key and api_key_file are both set"):
        Upstream(api_key=Secret("k"), api_key_file=Path("f"))
    with pytest.raises(ValidationError, match="token and token_file are both set"):
        Admin(token=Secret("t"), token_file=Path("f"))
    for name in ("webhook_url", "webhook_secret"):
        with pytest.raises(ValidationError, match=f"{name} and {name}_file are both set"):
            Alerts.model_validate({name: "x", f"{name}_file": "f"})


def test_no_limit_is_nothing_or_less() -> None:
    with pytest.raises(ValidationError):
        Limits(queue_length_max=0)
    with pytest.raises(ValidationError):
        Limits(head_seconds_max=0)


def test_sections_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Limits().rows_per_page = 5  # type: ignore[misc]  # the very mistake


def test_the_room_for_all_bodies_takes_one_at_least() -> None:
    assert Limits(request_bytes_max=5000, request_total_bytes_max=5000)
    with pytest.raises(ValidationError, match="must be at least request_bytes_max"):
        Limits(request_bytes_max=5000, request_total_bytes_max=4999)


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:6379/0", "rediss://me:word@host:6380", "valkey://host:6379"]
)
def test_known_stores(url: str) -> None:
    assert Limits(store_url=url).store_url == url


@pytest.mark.parametrize(
    "url", ["redis://host/0", "redis://:6379", "async+redis://host:1", "memory://", "redis://h:x"]
)
def test_other_stores_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Limits(store_url=url)
