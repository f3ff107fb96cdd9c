"""The kinds of values that settings have: secrets, seconds, addresses. Not here: any setting."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

WEEK_SECONDS = 604_800


class Secret(SecretStr):
    """A value that no print, log or traceback shows."""

    def _display(self) -> str:
        return "***"


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
