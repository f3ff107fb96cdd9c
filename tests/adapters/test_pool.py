"""Who gets which connection, and that none is ever lost."""

import asyncio
import random

import httpx
import pytest

from gateway.adapters.pool import Pool
from gateway.adapters.transport import FastTransport
from tests.adapters.test_transport import OK, SERVE, ask, request, transport
from tests.fakes.rawserver import RawServer, Script, Step, hang, read_request, send


def only_pool(fast: FastTransport) -> Pool:
    (pool,) = fast._pools.values()
    return pool


async def test_a_sweep_closes_what_is_idle_and_keeps_the_rest() -> None:
    async with RawServer([SERVE]) as server, transport(idle_seconds_max=100) as fast:
        replies = [await fast.handle_async_request(request(server.url)) for _ in range(3)]
        for reply in replies:
            await reply.aclose()
        pool = only_pool(fast)
        pool._idle[0].parked_at -= 200
        pool._idle[1].abort()
        pool._sweep()
        assert len(pool._idle) == 1
        assert pool._sweeper is not None
        pool._sweeper.cancel()
        pool._idle[0].parked_at -= 200
        pool._sweep()
        assert not pool._idle


async def test_an_expired_connection_is_passed_over_before_it_is_swept() -> None:
    async with RawServer([SERVE]) as server, transport(idle_seconds_max=100) as fast:
        await ask(fast, server.url)
        only_pool(fast)._idle[0].parked_at -= 200
        await ask(fast, server.url)
        assert server.connections == 2


async def test_a_failed_connection_leaves_its_slot_to_the_next_in_line() -> None:
    async with RawServer([]) as server:
        url = server.url
    async with transport(connections_max=1) as fast:
        errors = await asyncio.gather(*[failure(fast, url) for _ in range(5)])
        assert {type(error) for error in errors} == {httpx.ConnectError}


async def test_closing_turns_away_who_waits_and_who_comes() -> None:
    async with RawServer([SERVE]) as server, transport(connections_max=1) as fast:
        first = await fast.handle_async_request(request(server.url))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(failure(fast, server.url))
            while not only_pool(fast)._line:
                await asyncio.sleep(0)
            await fast.aclose()
        assert isinstance(waiting.result(), httpx.ConnectError)
        assert isinstance(await failure(fast, server.url), httpx.ConnectError)
        await first.aclose()


async def failure(fast: FastTransport, url: str) -> httpx.TransportError:
    with pytest.raises(httpx.TransportError) as caught:
        await ask(fast, url)
    return caught.value


@pytest.mark.parametrize("is_clean", [True, False], ids=["a connection", "a slot"])
async def test_what_reaches_a_waiter_that_has_just_left_goes_to_the_next(is_clean: bool) -> None:
    def script(number: int) -> Script:
        answer = OK if is_clean or number else OK.replace(b"2", b"3")
        return [read_request, send(answer), *([SERVE] if is_clean or number else [hang])]

    async with RawServer(script) as server, transport(connections_max=1) as fast:
        first = await fast.handle_async_request(request(server.url))
        pool = only_pool(fast)
        leaving = asyncio.ensure_future(ask(fast, server.url))
        staying = asyncio.ensure_future(ask(fast, server.url))
        while len(pool._line) < 2:
            await asyncio.sleep(0)
        waiter = pool._line[0]
        await first.aclose()
        while not waiter.done():
            await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == b"ok"
        assert leaving.cancelled()
        assert (pool._pending, len(pool._open)) == (0, 1)


async def test_no_slot_is_lost_whatever_is_cancelled() -> None:
    chance = random.Random(7)

    def script(number: int) -> Script:
        answers: list[Step] = [send(OK), send(OK[:-1]), send(OK[:9]), send(b"x")]
        return [read_request, answers[number % 4], *([SERVE] if number % 4 == 0 else [])]

    async def leave(fast: FastTransport, url: str) -> None:
        task = asyncio.ensure_future(ask(fast, url, pool=chance.choice([0.001, 5])))
        for _ in range(chance.randrange(30)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with RawServer(script) as server, transport(connections_max=3) as fast:
        await asyncio.gather(*[leave(fast, server.url) for _ in range(300)])
        pool = only_pool(fast)
        while len(pool._open) > len(pool._idle):
            await asyncio.sleep(0)
        assert pool._pending == 0
        assert len(pool._open) <= 3
        assert not any(not waiter.done() for waiter in pool._line)
