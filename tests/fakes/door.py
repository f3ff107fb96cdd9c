"""The door to the upstream as its contract tests open it: either transport, either event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from gateway.adapters.upstream import Timeouts, Upstream, UpstreamReply, transport_for
from gateway.core.errors import UpstreamUnavailable

Kind = Literal["fast", "stock"]
KINDS: list[Kind] = ["fast", "stock"]
# Served on uvloop, developed on either: both must keep the contract.
LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]
CERTS = Path(__file__).parent / "certs"
CA = str(CERTS / "ca.pem")  # one authority loads 50 times faster than the system's
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PATIENT = Timeouts(
    connect_seconds=5, write_seconds=5, pool_seconds=5, first_byte_seconds=5, idle_seconds=5
)


@asynccontextmanager
async def upstream_at(
    base_url: str,
    kind: Kind,
    *,
    timeouts: Timeouts = PATIENT,
    connections_max: int = 100,
    idle_seconds_max: float = 15,
    ca_file: str | None = CA,
) -> AsyncIterator[Upstream]:
    transport = transport_for(
        kind=kind,
        connections_max=connections_max,
        idle_seconds_max=idle_seconds_max,
        ca_file=ca_file,
    )
    upstream = Upstream(
        base_url=base_url, credential=lambda: "sk-1", transport=transport, timeouts=timeouts
    )
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def post(upstream: Upstream, body: bytes = b"{}") -> UpstreamReply:
    headers = [(b"content-type", b"application/json")]
    return await upstream.send(method="POST", path="/responses", headers=headers, body=body)


async def read(reply: UpstreamReply) -> list[bytes]:
    try:
        return [chunk async for chunk in reply.chunks()]
    finally:
        await reply.aclose()


async def ask(upstream: Upstream, body: bytes = b"{}") -> bytes:
    return b"".join(await read(await post(upstream, body)))


async def failure(upstream: Upstream, body: bytes = b"{}") -> UpstreamUnavailable:
    with pytest.raises(UpstreamUnavailable) as caught:
        await ask(upstream, body)
    return caught.value
