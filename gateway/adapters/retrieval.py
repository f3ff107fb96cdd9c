"""Asks the upstream for a response, or a completion, that it keeps.

Not here: when, or what follows (`core`).
"""

import asyncio
from urllib.parse import quote

from gateway.adapters.upstream import Header, Upstream, UpstreamReply
from gateway.core import headers as wire
from gateway.core.errors import UpstreamUnavailable
from gateway.core.observation import Observation
from gateway.core.observer import observer_for
from gateway.core.reconciliation import Told

ASK_SECONDS_MAX = 30.0
RESPONSES = "responses", "/responses"  # the endpoint that reads as one that makes, and its path
CHAT = "chat.completions", "/chat/completions"
CHAT_PREFIX = "chatcmpl-"  # of the ids of completions that the API keeps
HEADERS: list[Header] = [(b"accept", b"application/json"), (b"accept-encoding", b"identity")]


class Retrieval:
    """`GET /v1/responses/{id}`, or the same of a completion.

    By the door, and with the credential, that requests take.
    """

    def __init__(self, upstream: Upstream, *, seconds_max: float = ASK_SECONDS_MAX) -> None:
        self._upstream = upstream
        self._seconds_max = seconds_max

    async def ask(self, response_id: str) -> Told | None:
        """What the upstream says of the response; None when it does not answer in time."""
        endpoint, path = CHAT if response_id.startswith(CHAT_PREFIX) else RESPONSES
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._asked(f"{path}/{quote(response_id, safe='')}", endpoint)
        except (TimeoutError, UpstreamUnavailable):
            return None

    async def _asked(self, path: str, endpoint: str) -> Told:
        reply = await self._upstream.send(method="GET", path=path, headers=HEADERS, body=b"")
        try:
            return Told(status=reply.status, observation=await _observed(reply, endpoint))
        finally:
            await reply.aclose()


async def _observed(reply: UpstreamReply, endpoint: str) -> Observation:
    """The same reading as of an answer that is relayed; a large one is skimmed as it passes."""
    headers = [(name.lower(), value) for name, value in reply.headers]
    observer = observer_for(
        status=reply.status,
        content_type=wire.first(headers, b"content-type"),
        content_encoding=wire.first(headers, b"content-encoding"),
        endpoint=endpoint,
    )
    async for chunk in reply.chunks():
        observer.feed(chunk)
    return observer.end(is_clean=True)
