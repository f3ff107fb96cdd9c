"""Errors of the admin API as problem details (RFC 9457), in one place.

Not here: the data plane's errors, which have the upstream's shape (`app.errors`).
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.core.errors import GatewayError, Unauthorized

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Mistake(BaseModel):
    """One thing that is wrong with a request, and where."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(examples=["body.limit_usd"])
    what: str = Field(examples=["String should match pattern"])


class Problem(BaseModel):
    """Problem details: `code` is for programs, `detail` for people."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no tenant 'acme' here."])
    code: str = Field(examples=["not_found"])
    errors: list[Mistake] | None = None


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What was wrong with the request.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    "503": {
        "description": "The database is away, or does not answer in time.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    mistakes: Sequence[Mistake] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer that tells a problem."""
    told = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=list(mistakes) or None,
    )
    body = told.model_dump_json(exclude_none=True)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def problem_of(error: GatewayError) -> Response:
    """The same for an error of ours."""
    headers = {}
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = 'Bearer realm="Responses Gateway"'
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    return problem(error.status, error.message, code=error.code, headers=headers)


def answer_problems(app: FastAPI) -> None:
    """Have an application answer every error so."""
    app.add_exception_handler(GatewayError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return problem_of(error)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status == HTTPStatus.NOT_FOUND:
        return problem(status, "The admin API has no such path.", code="not_found", headers=headers)
    return problem(status, str(error.detail), code=status.name.lower(), headers=headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    mistakes = [
        Mistake(where=".".join(map(str, one["loc"])), what=one["msg"]) for one in error.errors()
    ]
    detail = "; ".join(f"{one.where}: {one.what}" for one in mistakes)
    return problem(422, detail, code="invalid_request", mistakes=mistakes)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("the admin API failed at %s", request.scope["path"], exc_info=error)
    return problem(500, "The gateway failed; its log says why.", code=GatewayError.default_code)
