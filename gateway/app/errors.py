"""A `GatewayError` as an answer in the API's own shape: in one place, for every way out."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response

from gateway.app.problems import problem_of
from gateway.core.errors import GatewayError, NotFound, Unauthorized, UpgradeRequired

REQUEST_ID = b"x-gateway-request-id"
ADMIN_PATHS = "/admin/"


def error_body(error: GatewayError) -> bytes:
    """The JSON that the API's clients read errors from."""
    fields = {
        "message": error.message,
        "type": error.kind,
        "param": error.param,
        "code": error.code,
    }
    return json.dumps({"error": fields}).encode()


def error_headers(
    error: GatewayError, *, body: bytes, request_id: str | None = None
) -> list[tuple[bytes, bytes]]:
    """Headers of the answer, with what makes clients react rightly to this error."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    if request_id is not None:
        headers.append((REQUEST_ID, request_id.encode("ascii")))
    if error.should_retry is not None:
        headers.append((b"x-should-retry", b"true" if error.should_retry else b"false"))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if error.retry_after_ms is not None:
        headers.append((b"retry-after-ms", b"%d" % error.retry_after_ms))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="Responses Gateway"'))
    if isinstance(error, UpgradeRequired):
        headers += [(b"upgrade", b"HTTP/1.1"), (b"connection", b"upgrade")]
    return headers


async def answer(_request: Request, error: Exception) -> Response:
    """The answer of a route that raised a GatewayError."""
    assert isinstance(error, GatewayError)
    body = error_body(error)
    headers = {name.decode(): value.decode() for name, value in error_headers(error, body=body)}
    return Response(body, status_code=error.status, headers=headers)


async def answer_not_found(request: Request, _error: Exception) -> Response:
    """The same where there is no route; below the admin API's prefix in that one's shape."""
    if request.scope["path"].startswith(ADMIN_PATHS):
        return problem_of(NotFound())
    return await answer(request, NotFound())


async def refuse(
    error: GatewayError, send: Callable[[Any], Awaitable[None]], *, request_id: str | None = None
) -> None:
    """Answer an ASGI request with an error."""
    body = error_body(error)
    headers = error_headers(error, body=body, request_id=request_id)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
