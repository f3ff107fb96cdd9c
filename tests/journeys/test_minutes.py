"""Limits per minute over real sockets: refused with the moment that is worth waiting for."""

from pathlib import Path

from gateway.adapters.policies import Policies
from tests.fakes.redisserver import RedisServer
from tests.journeys.held import quiet
from tests.journeys.stage import TENANT, Stage, body, now_us, stage, until


def limit(on: Stage, **given: int) -> None:
    Policies(engine=on.engine, now_us=now_us).change(TENANT, given=given)


async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with RedisServer() as server, stage(tmp_path, limits={"store_url": server.url}) as on:
        limit(on, requests_per_minute_max=1)
        assert (await on.post(body())).status_code == 200
        refused = await on.post(body())
        assert refused.status_code == 429
        error = refused.json()["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert error["message"].startswith(
            f"The limit of {TENANT} is reached (requests a minute: 1)."
        )
        assert refused.headers["x-should-retry"] == "true"
        assert 0 < int(refused.headers["retry-after-ms"]) <= 60_000
        assert len(await on.settled(1)) == 1
        assert server.counters
    await until(lambda: server.connections == 0)


async def test_tokens_that_were_used_up_stop_the_next_request(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        limit(on, tokens_per_minute_max=1)
        statuses = [(await on.post(body())).status_code]
        await quiet(on)  # what was used is counted after the answer
        statuses.append((await on.post(body())).status_code)
        assert statuses == [200, 429]
