"""Asks the upstream for a response that it keeps. Not here: when, or what follows (`core`)."""

import asyncio
from urllib.parse import quote

from gateway.adapters.upstream import Header, Upstream, UpstreamReply
from gateway.core import headers as wire
from gateway.core.errors import UpstreamUnavailable
from gateway.core.observation import Observation
from gateway.core.observer import observer_for
from gateway.core.reconciliation import Told

ASK_SECONDS_MAX = 30.0
HEADERS: list[Header] = [(b"accept", b"application/json"), (b"accept-encoding", b"identity")]


class Retrieval:
    """`GET /v1/responses/{id}` by the door, and with the credential, that requests take."""

    def __init__(self, upstream: Upstream, *, seconds_max: float = ASK_SECONDS_MAX) -> None:
        self._upstream = upstream
        self._seconds_max = seconds_max

    async def ask(self, response_id: str) -> Told | None:
        """What the upstream says of the response; None when it does not answer in time."""
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._asked(f"/responses/{quote(response_id, safe='')}")
        except (TimeoutError, UpstreamUnavailable):
            return None

    async def _asked(self, path: str) -> Told:
        reply = await self._upstream.send(method="GET", path=path, headers=HEADERS, body=b"")
        try:
            return Told(status=reply.status, observation=await _observed(reply))
        finally:
            await reply.aclose()


async def _observed(reply: UpstreamReply) -> Observation:
    """The same reading as of an answer that is relayed; a large one is skimmed as it passes."""
    headers = [(name.lower(), value) for name, value in reply.headers]
    observer = observer_for(
        status=reply.status,
        content_type=wire.first(headers, b"content-type"),
        content_encoding=wire.first(headers, b"content-encoding"),
    )
    async for chunk in reply.chunks():
        observer.feed(chunk)
    return observer.end(is_clean=True)
