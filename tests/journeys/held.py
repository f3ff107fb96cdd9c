"""An upstream that sends when it is told, and a ledger that commits when it may.

With both in a test's hands, "at once" and "not before" need no clock.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.patience import LIMITS, SECONDS
from tests.fakes.rawserver import RawServer, Script, read_request, send, wait_for
from tests.journeys.caller import Caller, calling
from tests.journeys.stage import WAIT_SECONDS_MAX, Stage, stage, until

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
ROUND_TRIPS = 5
TURN = 16
SOON = {"seconds_max": 1}  # a test that failed leaves exchanges that nobody ends


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    """Gateways in this process are patient inside."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in LIMITS:
            patch.setattr(module, name, SECONDS)
        yield


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stepwise(head: bytes, pieces: Sequence[bytes], gates: Sequence[asyncio.Event]) -> Script:
    """The head and the first piece; each further piece when its gate opens."""
    first, *rest = pieces
    script = [read_request, send(head + first)]
    for piece, gate in zip(rest, gates, strict=True):
        script += [wait_for(gate), send(piece)]
    return script


@asynccontextmanager
async def stage_before(folder: Path, upstream: RawServer) -> AsyncIterator[Stage]:
    """A gateway in front of an upstream that speaks in raw bytes; what waits too long, fails."""
    async with (
        patience(),
        asyncio.timeout(WAIT_SECONDS_MAX),
        stage(folder, upstream={"base_url": upstream.url}, shutdown=SOON) as on,
    ):
        yield on


async def asked_in_turns(
    on: Stage, upstream: RawServer, stack: AsyncExitStack, asked: list[dict[str, Any]]
) -> list[Caller]:
    """Callers whose requests are all with the upstream; no more of them at once than hold well."""
    callers: list[Caller] = []
    for one in asked:
        callers.append(await stack.enter_async_context(calling(on.port, on.key, one)))
        if len(callers) % TURN == 0 or len(callers) == len(asked):
            await upstream.until(lambda server: len(server.requests) == len(callers))
    return callers


@asynccontextmanager
async def ledger_held(on: Stage) -> AsyncIterator[None]:
    """Nothing commits inside: the file lock that every writer takes first is ours."""
    lock = os.open(f"{on.engine.url.database}.lock", os.O_RDWR)
    try:
        await until(lambda: is_locked(lock))
        yield
    finally:
        os.close(lock)


def is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def quiet(on: Stage) -> None:
    """Return when the gateway has dealt with all that it was sent before this call.

    It runs in this very loop, and answers in the order in which its sockets became readable.
    """
    async with on.client() as client:
        for _ in range(ROUND_TRIPS):
            (await client.get(f"http://127.0.0.1:{on.port}/livez")).raise_for_status()
