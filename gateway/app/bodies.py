"""Request bodies: each is read whole and bounded, and so are all that are in memory together.

A body is in memory until its exchange has ended: it may have to be sent again. An announced length
counts at once, so what has no room is refused unread. Not here: what a body says (`core.request`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Self

from gateway.core import headers as wire
from gateway.core.errors import BodyTooLarge, Overloaded

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientGone(Exception):
    """The client hung up before its request was whole: there is no one to answer."""


class Bodies:
    """The room for all of them. `bytes_max` is for one."""

    def __init__(self, *, bytes_max: int, total_bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.total_bytes_max = total_bytes_max
        self.total_bytes = 0

    def one(self, headers: wire.Headers, receive: Receive) -> "Body":
        """A request's body, still to come; it has its room inside a `with`."""
        return Body(self, headers, receive)


class Body:
    """One request's body, and the room that it has."""

    def __init__(self, bodies: Bodies, headers: wire.Headers, receive: Receive) -> None:
        self._bodies = bodies
        self._announced = wire.content_length(headers)
        self._receive = receive
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies.total_bytes -= self._bytes

    async def read(self) -> bytes:
        """All of it. Raises BodyTooLarge, Overloaded and ClientGone."""
        self._grow_to(1 if self._announced is None else self._announced)
        pieces = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message["body"])
            size += len(message["body"])
            self._grow_to(size)
            if not message["more_body"]:
                return b"".join(pieces)

    def _grow_to(self, size: int) -> None:
        bodies = self._bodies
        if size > bodies.bytes_max:
            raise BodyTooLarge(
                f"The request body is larger than {bodies.bytes_max} bytes "
                "(the gateway's setting limits.request_bytes_max)."
            )
        more = max(0, size - self._bytes)
        if bodies.total_bytes + more > bodies.total_bytes_max:
            raise Overloaded(
                "The gateway has as many request bodies in memory as it takes "
                "(limits.request_total_bytes_max); try again shortly."
            )
        bodies.total_bytes += more
        self._bytes += more
