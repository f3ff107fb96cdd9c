"""Errors as problem details: the shape, the headers, and nothing of what broke inside."""

import httpx
import pytest
from fastapi import FastAPI

from gateway.app.problems import MEDIA_TYPE, answer_problems, problem, problem_of
from gateway.core.errors import NotFound, TooManyFailedAttempts, Unauthorized


def test_an_error_of_ours_is_told() -> None:
    told = problem_of(NotFound("There is no tenant 'x' here."))
    assert (told.status_code, told.media_type) == (404, MEDIA_TYPE)
    assert bytes(told.body) == (
        b'{"type":"about:blank","title":"Not Found","status":404,'
        b'"detail":"There is no tenant \'x\' here.","code":"not_found"}'
    )


def test_what_helps_a_client_stands_in_headers() -> None:
    assert problem_of(Unauthorized()).headers["www-authenticate"].startswith("Bearer")
    late = problem_of(TooManyFailedAttempts(retry_after_seconds=7))
    assert (late.status_code, late.headers["retry-after"]) == (429, "7")
    assert "retry-after" not in problem(400, "no", code="c").headers


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/none", 404, "not_found"),
        ("/number/x", 422, "invalid_request"),
        ("/broken", 500, "gateway_error"),
    ],
)
async def test_every_way_out_of_an_application_is_one(path: str, status: int, code: str) -> None:
    app = FastAPI()
    answer_problems(app)

    @app.get("/number/{n}")
    async def number(n: int) -> int:
        return n

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the secret of the house")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        told = await client.get(path)
        wrong = await client.post("/broken")
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert told.headers["content-type"] == MEDIA_TYPE
    assert "secret" not in told.text
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    if status == 422:
        assert [one["where"] for one in told.json()["errors"]] == ["path.n"]
