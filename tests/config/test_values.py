"""Kinds of values: secrets that stay secret, addresses that can be one."""

import pytest

from gateway.config.sections import Upstream
from gateway.config.values import Secret, http_address


def test_a_secret_shows_itself_to_nobody() -> None:
    upstream = Upstream(api_key=Secret("sk-hidden"))
    assert "sk-hidden" not in f"{upstream!r} {upstream} {upstream.model_dump()}"
    assert repr(upstream.api_key) == "Secret('***')"


def test_a_password_is_part_of_an_address_only_where_it_may_be() -> None:
    address = "http://me:word@proxy:3128"
    assert http_address(address, has_userinfo=True) == address
    with pytest.raises(ValueError, match="user name"):
        http_address(address)
