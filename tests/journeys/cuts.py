"""Ways of cutting bytes into pieces, and the answers that come of them at the client.

Not here: what an answer must cost, or any other expectation but that no byte changed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from tests.journeys.caller import Caller, whole_answer
from tests.journeys.stage import Stage, body

AT_ONCE_MAX = 12
MARKS_MAX = 60
T = TypeVar("T")
U = TypeVar("U")


def ones(data: bytes) -> list[int]:
    return [1] * len(data)


def random_pieces(data: bytes, seed: int) -> list[int]:
    """Lengths that add up to the data's, cut anywhere."""
    chance = random.Random(seed)
    marks = chance.sample(range(len(data) + 1), min(MARKS_MAX, len(data)))
    return [b - a for a, b in pairwise(sorted({0, *marks, len(data)}))]


async def all_of(things: Iterable[T], do: Callable[[T], Awaitable[U]]) -> list[U]:
    """`do` for each, some at once; what one raises ends it."""
    gate = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(thing: T) -> U:
        async with gate:
            return await do(thing)

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one(thing)) for thing in things]
    return [task.result() for task in started]


async def replayed(  # noqa: PLR0913 - a recording's fields, all by name
    on: Stage,
    data: bytes,
    *,
    name: str,
    pieces: Sequence[int] = (),
    status: int = 200,
    content_type: str = "text/event-stream; charset=utf-8",
    headers: Sequence[tuple[str, str]] = (),
    is_counted: bool = False,
    api: str = "responses",
) -> str:
    """Play bytes through the gateway, prove that they arrive unchanged; returns the request id."""
    on.simulator.replay(
        data,
        name=name,
        pieces=pieces,
        status=status,
        content_type=content_type,
        headers=headers,
        is_counted=is_counted,
    )
    path, asked = asking(api, f"[sim: replay={name}]", is_stream="event-stream" in content_type)
    told = await whole_answer(on.port, on.key, asked, path=path)
    assert (told.status, told.ending) == (status, "whole"), (name, bytes(told.body[:400]))
    assert bytes(told.body) == data, name
    return header(told, "x-gateway-request-id")


def asking(api: str, text: str, *, is_stream: bool) -> tuple[str, dict[str, Any]]:
    """The path of an API, and a request of it."""
    if api == "chat":
        said = [{"role": "user", "content": text}]
        asked = {"model": "gpt-5-mini", "messages": said, "stream": is_stream}
        return "/v1/chat/completions", asked
    if api == "embeddings":
        return "/v1/embeddings", {"model": "text-embedding-3-small", "input": text}
    return "/v1/responses", body(text, stream=is_stream)


def header(told: Caller, name: str) -> str:
    """A header of an answer, or an empty string; its name in lower case."""
    for line in told.head.decode("latin-1").split("\r\n"):
        field, _, value = line.partition(":")
        if field.lower() == name:
            return value.strip()
    return ""
