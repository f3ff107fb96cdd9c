"""Heads and errors as the API has them."""

import json

import pytest

from gateway.simulator.answers import ApiError, error_answer, json_answer
from gateway.simulator.faults import Faults
from gateway.simulator.server import Simulator
from gateway.simulator.wire import Answer
from tests.simulator.rawclient import respond


def error_of(answer: Answer) -> dict[str, object]:
    (segment,) = answer.segments
    error = json.loads(segment.data)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, "invalid_request_error"),
        (429, "rate_limit_exceeded", "rate_limit_error"),
        (503, "server_is_overloaded", "service_unavailable_error"),
        (418, None, "api_error"),
    ],
)
def test_errors_have_the_api_s_shape(status: int, code: str | None, kind: str) -> None:
    answer = error_answer(ApiError(status, "No."))
    error = error_of(answer)
    assert (answer.status, error["code"], error["type"]) == (status, code, kind)


def test_a_spent_quota_is_a_type_of_its_own() -> None:
    error = error_of(error_answer(ApiError(429, "No.", code="credit_balance_exhausted")))
    assert error["type"] == "insufficient_quota"


def test_errors_say_when_to_come_back_and_where_to_go() -> None:
    faults = Faults(retry_after_seconds=3)
    assert ("retry-after", "3") in error_answer(ApiError(503, "No."), faults).headers
    assert ("retry-after-ms", "3000") in error_answer(ApiError(429, "No."), faults).headers
    assert ("location", "/v1/elsewhere") in error_answer(ApiError(307, "There.")).headers
    assert "www-authenticate" in dict(error_answer(ApiError(401, "No.")).headers)
    assert "retry-after" not in dict(error_answer(ApiError(400, "No.")).headers)
    told = error_answer(ApiError(400, "No."), Faults(should_retry="true")).headers
    assert ("x-should-retry", "true") in told


def test_a_json_answer_knows_its_length() -> None:
    answer = json_answer({"a": 1})
    assert answer.length == sum(len(segment.data) for segment in answer.segments)
    assert not answer.is_chunked
    assert not answer.is_close_delimited


async def test_streams_have_the_api_s_headers_and_those_to_be_stripped(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "")
    names = [name for name, _ in reply.headers]
    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    assert names.count("set-cookie") == 2
    for name in (
        "x-request-id",
        "openai-processing-ms",
        "openai-version",
        "x-ratelimit-remaining-tokens",
        "alt-svc",
        "strict-transport-security",
        "nel",
        "report-to",
    ):
        assert name in names


async def test_whole_bodies_have_a_length_or_not(sim: Simulator) -> None:
    assert (await respond(sim.base_url, "", stream=False)).ending == "length"
    assert (await respond(sim.base_url, "chunked", stream=False)).ending == "final_chunk"
    assert (await respond(sim.base_url, "close_delimited", stream=False)).ending == "eof"
