"""What the gateway's one policy admits."""

import pytest

from gateway.core.errors import PolicyDenied, Unpriced
from gateway.core.policy import Policy
from gateway.core.request import ResponseRequest
from tests.builders import price


def request(body: bytes = b'{"model":"gpt-test"}') -> ResponseRequest:
    return ResponseRequest.parse(body)


def test_a_priced_model_is_admitted() -> None:
    Policy().admit(request(), price())


def test_a_model_without_a_price_is_refused_by_name() -> None:
    with pytest.raises(Unpriced, match="'gpt-test'") as raised:
        Policy().admit(request(), None)
    assert (raised.value.code, raised.value.param) == ("model_not_priced", "model")


def test_unless_the_operator_allows_it() -> None:
    Policy(is_unpriced_allowed=True).admit(request(), None)


@pytest.mark.parametrize("is_unpriced_allowed", [False, True])
def test_background_is_refused_first(is_unpriced_allowed: bool) -> None:
    policy = Policy(is_unpriced_allowed=is_unpriced_allowed)
    with pytest.raises(PolicyDenied) as raised:
        policy.admit(request(b'{"model":"gpt-test","background":true}'), None)
    assert (raised.value.code, raised.value.param) == ("background_not_allowed", "background")
