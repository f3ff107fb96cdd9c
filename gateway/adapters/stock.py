"""Any transport of httpx's, as the upstream's door takes ours. Not here: ours (`transport`)."""

from collections.abc import Callable, Sequence
from typing import Self

import httpx

from gateway.adapters.connection import Phases, Take
from gateway.adapters.transport import Target


class StockTransport:
    """Sends requests by a transport that knows only httpx's own objects."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(  # noqa: PLR0913 - what a request is
        self,
        method: str,
        target: Target,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        phases: Phases,
        idle_seconds: float,
        sending: Callable[[], None] | None,
    ) -> "StockReply":
        """Send a request; returns with the head of the response. Raises httpx.HTTPError."""
        limits = dict(phases)
        request = httpx.Request(
            method,
            target.url,
            headers=list(headers),
            stream=httpx.ByteStream(body),
            extensions={"timeout": limits},
        )
        if sending is not None:
            sending()  # it does not tell when
        response = await self._transport.handle_async_request(request)
        # Transports look the limit up when they start on the body: from here it is another one.
        limits["read"] = idle_seconds
        return StockReply(response)

    async def aclose(self) -> None:
        await self._transport.aclose()


class StockReply:
    """Status and headers of a response whose body is still to come. `aclose` must be called."""

    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self.status = response.status_code
        self.headers = response.headers.raw
        self._stream = response.stream
        self._pieces = aiter(response.stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def pour(self, take: Take) -> bool:
        """As `Connection.pour`."""
        async for piece in self._pieces:
            if take(piece):
                return True
        return False

    async def aclose(self) -> None:
        await self._stream.aclose()
