"""The tree of errors is what its drawing says, and every error speaks."""

import re
from collections.abc import Iterator

import pytest

from gateway.core import errors
from gateway.core.errors import (
    GatewayError,
    TooManyFailedAttempts,
    UpstreamTimeout,
    UpstreamUnavailable,
)

DRAWN = re.findall(r"── (\w+) +(\d{3})?", errors.__doc__ or "")


def tree(top: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for kind in top.__subclasses__():
        yield kind
        yield from tree(kind)


KINDS = sorted(set(tree()), key=lambda kind: kind.__name__)


def test_the_drawing_lists_every_error_with_its_status() -> None:
    drawn = {name: int(status) if status else None for name, status in DRAWN}
    assert set(drawn) == {kind.__name__ for kind in KINDS}
    for kind in KINDS:
        assert drawn[kind.__name__] in {kind.status, None}


def test_every_error_has_its_own_words_and_code() -> None:
    assert all(kind.__doc__ for kind in KINDS)
    codes = [kind.default_code for kind in KINDS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_blame_follows_the_status(kind: type[GatewayError]) -> None:
    is_ours = kind.status >= 500 and kind.default_code != "http_version_not_served"
    theirs = {"invalid_request_error", "rate_limit_error", "insufficient_quota"}
    assert (kind.kind in theirs) is not is_ours


def test_the_docstring_is_the_message() -> None:
    error = GatewayError()
    assert error.message == str(error) == "The gateway could not serve this request."
    assert (error.status, error.code, error.param) == (500, "gateway_error", None)


def test_who_is_to_wait_is_told_how_long() -> None:
    assert TooManyFailedAttempts(retry_after_seconds=7).retry_after_seconds == 7
    assert GatewayError().retry_after_seconds is None


def test_a_message_code_and_param_of_its_own() -> None:
    error = GatewayError("Why.", code="because", param="model")
    assert (str(error), error.code, error.param) == ("Why.", "because", "model")


def test_an_unreachable_upstream_says_whether_it_may_have_heard() -> None:
    assert UpstreamUnavailable("Refused.", is_sent=False).code == "upstream_unavailable"
    late = UpstreamTimeout("Late.", is_sent=True, code="idle")
    assert (late.is_sent, late.status, late.code) == (True, 504, "idle")
