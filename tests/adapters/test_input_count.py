"""The upstream's own count of an input, or none when it does not say."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.adapters.input_count import ANSWER_BYTES_MAX, InputCount
from gateway.core.errors import UpstreamUnavailable
from gateway.core.request import ResponseRequest

ANSWER = b'{"object": "response.input_tokens", "input_tokens": 7}'


class Reply:
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), 4096):
            yield self._body[start : start + 4096]

    async def aclose(self) -> None:
        pass


class Door:
    """An upstream with one answer."""

    def __init__(self, status: int = 200, body: bytes = ANSWER) -> None:
        self._reply = Reply(status, body)
        self.sent: list[dict[str, Any]] = []

    async def send(self, **request: Any) -> Reply:
        self.sent.append(request)
        if self._reply.status == 0:
            raise UpstreamUnavailable("gone", is_sent=False)
        return self._reply


async def counted(door: Door, **fields: Any) -> int | None:
    request = ResponseRequest.parse(json.dumps({"model": "m", **fields}).encode())
    return await InputCount(door).count(request)  # type: ignore[arg-type]  # a fake


async def test_only_what_the_count_takes_is_sent() -> None:
    door = Door()
    assert await counted(door, input="hello", max_output_tokens=5, stream=True) == 7
    (sent,) = door.sent
    assert (sent["method"], sent["path"]) == ("POST", "/responses/input_tokens")
    assert json.loads(sent["body"]) == {"model": "m", "input": "hello"}


async def test_a_template_cannot_be_counted() -> None:
    door = Door()
    assert await counted(door, prompt={"id": "pmpt_1"}) is None
    assert not door.sent


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (404, ANSWER),
        (200, b"no json"),
        (200, b'{"input_tokens": -1}'),
        (200, b'{"input_tokens": "7"}'),
        (200, ANSWER + b" " * ANSWER_BYTES_MAX),
    ],
)
async def test_what_is_no_count(status: int, body: bytes) -> None:
    assert await counted(Door(status, body), input="hello") is None
