"""Any transport of httpx's behind the door: when its limits hold, and how its body is poured."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

from gateway.adapters.stock import StockReply, StockTransport
from gateway.adapters.transport import Target

TARGET = Target.of(httpx.URL("http://upstream.test/v1/responses?a=b"))


class Body(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in (b"a", b"b", b"c"):
            yield piece


class Asked:
    """A reply to one request, and what httpx's transport was asked."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.request: httpx.Request

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        self.notes.append("asked")
        self.first_byte = dict(request.extensions["timeout"])
        return httpx.Response(201, headers=[("A", "1"), ("A", "2")], stream=Body())

    async def send(self) -> StockReply:
        stock = StockTransport(httpx.MockTransport(self._answer))
        phases: dict[str, Any] = {"read": 600.0}
        return await stock.send(
            "POST",
            TARGET,
            [(b"host", b"h")],
            b"{}",
            phases=phases,
            idle_seconds=300.0,
            sending=lambda: self.notes.append("sending"),
        )


async def test_the_limit_of_the_first_byte_is_not_that_of_the_body() -> None:
    asked = Asked()
    reply = await asked.send()
    assert asked.notes == ["sending", "asked"]
    assert asked.first_byte["read"] == 600
    assert asked.request.extensions["timeout"]["read"] == 300
    assert (asked.request.url.raw_path, asked.request.content) == (b"/v1/responses?a=b", b"{}")
    assert (reply.status, reply.headers) == (201, [(b"A", b"1"), (b"A", b"2")])


async def test_a_body_is_poured_with_rests() -> None:
    reply = await Asked().send()
    pieces: list[bytes] = []

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return piece == b"b"

    assert await reply.pour(take)
    assert pieces == [b"a", b"b"]
    assert not await reply.pour(take)
    assert pieces == [b"a", b"b", b"c"]
    await reply.aclose()
