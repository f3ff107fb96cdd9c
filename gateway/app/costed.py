"""The head of a whole answer, which waits for the cost that it tells. A stream's never waits.

Its last chunk waits for the settlement anyway, as no client may see it before it is recorded; of an
answer that is small enough the head and what else there is wait with it. Not here: what it cost.
"""

from typing import Any, Protocol

from gateway.app.connection import Connection
from gateway.app.relay import Send
from gateway.core import headers as wire
from gateway.core.life import is_event_stream
from gateway.core.money import to_usd

COST = b"x-gateway-cost-usd"
BODY_BYTES_MAX = 1024 * 1024  # a larger body leaves as it comes, and its head does not tell


class Bill(Protocol):
    """What becomes known of a cost; None where it is unknown still, or for good."""

    @property
    def is_settled(self) -> bool: ...
    @property
    def cost_pusd(self) -> int | None: ...


class Costed:
    """A way to the client on which a whole answer's head learns of its bill."""

    def __init__(self, send: Send, connection: Connection, bill: Bill) -> None:
        self._send = send
        self._connection = connection
        self._bill = bill
        self._head: dict[str, Any] | None = None
        self._body = bytearray()

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start" and _waits(message["headers"]):
            self._head = message
        elif self._head is None:
            await self._send(message)
        else:
            self._body += message["body"]
            is_last = not message["more_body"]
            if is_last or self._bill.is_settled or len(self._body) > BODY_BYTES_MAX:
                await self._let_go(self._head, is_last=is_last)

    async def _let_go(self, head: dict[str, Any], *, is_last: bool) -> None:
        if self._bill.is_settled and (cost_pusd := self._bill.cost_pusd) is not None:
            head = {**head, "headers": [*head["headers"], (COST, to_usd(cost_pusd).encode())]}
        self._head = None
        body = bytes(self._body)
        self._body.clear()
        if self._connection.begin(head["status"], head["headers"], body):
            body = b""
            if not is_last:
                return
        else:
            await self._send(head)
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})


def _waits(headers: wire.Headers) -> bool:
    length = wire.content_length(headers)
    is_small = length is None or length <= BODY_BYTES_MAX
    return is_small and not is_event_stream(wire.first(headers, b"content-type"))
