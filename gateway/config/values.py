"""The kinds of values that settings have: secrets, seconds, money, addresses.

Not here: any setting.
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from gateway.core.budget import LIMIT_PUSD_MAX
from gateway.core.money import PUSD_PER_USD, pusd_from_usd

WEEK_SECONDS = 604_800
STORE_SCHEMES = ("redis", "rediss", "valkey", "valkeys")


class Secret(SecretStr):
    """A value that no print, log or traceback shows."""

    def _display(self) -> str:
        return "***"


def _written(usd: object) -> object:
    return str(usd) if isinstance(usd, int | float) else usd


def _is_limit(usd: str) -> str:
    if pusd_from_usd(usd) > LIMIT_PUSD_MAX:
        raise ValueError(f"must be at most {LIMIT_PUSD_MAX // PUSD_PER_USD:,} USD")
    return usd


BudgetUsd = Annotated[str, BeforeValidator(_written), AfterValidator(_is_limit)]
Seconds = Annotated[float, Field(gt=0, le=WEEK_SECONDS, json_schema_extra={"unit": "seconds"})]
Bytes = Annotated[int, Field(ge=1024, json_schema_extra={"unit": "bytes"})]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65535)]
Workers = Annotated[int, Field(ge=1, le=64)]


def http_address(url: str, *, has_userinfo: bool = False) -> str:
    """The address of an API itself, when it is one; raises ValueError."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("must be an address like https://api.openai.com/v1")
    if address.username is not None and not has_userinfo:
        raise ValueError("must not hold a user name or password")
    if address.query or address.fragment:
        raise ValueError("must not hold a query or fragment")
    return url


def store_address(url: str) -> str:
    """The address of a Redis or Valkey itself, when it is one; raises ValueError."""
    address = urlsplit(url)
    if address.scheme not in STORE_SCHEMES or not address.hostname or not address.port:
        raise ValueError("must be an address like redis://127.0.0.1:6379/0")
    return url
