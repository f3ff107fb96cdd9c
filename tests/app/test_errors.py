"""Errors as the API's clients read them."""

import json
from typing import Any

import pytest

from gateway.app.errors import error_body, error_headers, refuse
from gateway.core.errors import (
    GatewayError,
    InvalidRequest,
    Overloaded,
    TooManyFailedAttempts,
    Unauthorized,
    UpgradeRequired,
)


def test_the_body_has_the_apis_shape() -> None:
    error = InvalidRequest('No "model" — 模型', code="because", param="model")
    assert json.loads(error_body(error)) == {
        "error": {
            "message": 'No "model" — 模型',
            "type": "invalid_request_error",
            "param": "model",
            "code": "because",
        }
    }


def test_a_message_that_no_encoding_knows_is_written_all_the_same() -> None:
    assert json.loads(error_body(GatewayError("\ud800")))["error"]["message"] == "\ud800"


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (InvalidRequest(), []),
        (Overloaded(), [(b"x-should-retry", b"true")]),
        (Unauthorized(), [(b"www-authenticate", b'Bearer realm="Responses Gateway"')]),
        (UpgradeRequired(), [(b"upgrade", b"HTTP/1.1"), (b"connection", b"upgrade")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_headers_tell_clients_how_to_react(
    error: GatewayError, more: list[tuple[bytes, bytes]]
) -> None:
    headers = error_headers(error, body=b"12345")
    plain = [(b"content-type", b"application/json"), (b"content-length", b"5")]
    assert headers == plain + more


def test_what_must_not_be_tried_again_says_so() -> None:
    class Spent(GatewayError):
        should_retry = False

    assert (b"x-should-retry", b"false") in error_headers(Spent(), body=b"")


def test_the_request_id_is_told_where_there_is_one() -> None:
    headers = error_headers(InvalidRequest(), body=b"", request_id="req-1")
    assert (b"x-gateway-request-id", b"req-1") in headers


async def test_an_asgi_request_is_answered_whole() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    error = InvalidRequest("Why.")
    await refuse(error, send, request_id="req-1")
    body = error_body(error)
    assert sent == [
        {
            "type": "http.response.start",
            "status": 400,
            "headers": error_headers(error, body=body, request_id="req-1"),
        },
        {"type": "http.response.body", "body": body, "more_body": False},
    ]


def test_who_is_to_wait_is_told_how_long() -> None:
    error = TooManyFailedAttempts(retry_after_seconds=7)
    assert (b"retry-after", b"7") in error_headers(error, body=b"")
