"""Asks the upstream how long an input is. Not here: when that is worth a round trip (`holding`)."""

import asyncio

import msgspec

from gateway.adapters.upstream import Header, Upstream, UpstreamReply
from gateway.core.errors import UpstreamUnavailable
from gateway.core.request import Request

ASK_SECONDS_MAX = 2.0
ANSWER_BYTES_MAX = 64 * 1024
HTTP_OK = 200
PATH = "/responses/input_tokens"
HEADERS: list[Header] = [
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"content-type", b"application/json"),
]
# What the API takes there; the input of any other field cannot be counted.
_FIELDS = (
    "model", "input", "instructions", "tools", "tool_choice", "text", "reasoning",
    "previous_response_id", "conversation", "truncation", "parallel_tool_calls", "personality",
)  # fmt: skip


class _Answer(msgspec.Struct):
    input_tokens: int


class InputCount:
    """`POST /v1/responses/input_tokens`, by the door that requests take."""

    def __init__(self, upstream: Upstream, *, seconds_max: float = ASK_SECONDS_MAX) -> None:
        self._upstream = upstream
        self._seconds_max = seconds_max

    async def count(self, request: Request) -> int | None:
        """Tokens of the input as the upstream counts them; None when it does not say in time."""
        if request.fields.get("prompt") is not None:
            return None
        fields = {name: request.fields[name] for name in _FIELDS if name in request.fields}
        try:
            async with asyncio.timeout(self._seconds_max):
                reply = await self._upstream.send(
                    method="POST", path=PATH, headers=HEADERS, body=msgspec.json.encode(fields)
                )
                try:
                    return await _read(reply)
                finally:
                    await reply.aclose()
        except (TimeoutError, UpstreamUnavailable):
            return None


async def _read(reply: UpstreamReply) -> int | None:
    body = b""
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            return None
    if reply.status != HTTP_OK:
        return None
    try:
        counted = msgspec.json.decode(body, type=_Answer).input_tokens
    except msgspec.DecodeError:
        return None
    return counted if counted >= 0 else None
