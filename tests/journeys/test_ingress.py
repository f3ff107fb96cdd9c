"""Who connects, through a real server: addresses, ids, and connections without number."""

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest

from gateway.adapters.logs import LINES
from gateway.core.attribution import CLIENT_REQUEST_TAG
from tests.journeys.bill import assert_exact
from tests.journeys.stage import Stage, body, stage, until

STARTED = b"".join(
    f'event: {kind}\ndata: {{"type":"{kind}","response":{{"id":"resp_1"}}}}\n\n'.encode()
    for kind in ("response.created", "response.in_progress")
)
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


async def test_the_client_s_ids_reach_the_upstream_and_the_entry(shared_stage: Stage) -> None:
    before = len(shared_stage.entries())
    given = {"x-client-request-id": "mine-1", "traceparent": TRACE, "tracestate": "a=1"}
    await shared_stage.post(body(), **given)
    received = shared_stage.simulator.requests[-1]
    assert {name: received.header(name) for name in given} == given
    (entry,) = (await shared_stage.settled(before + 1))[before:]
    assert entry.tags[CLIENT_REQUEST_TAG] == "mine-1"


async def test_tags_go_to_the_entry_and_nowhere_else(tmp_path: Path) -> None:
    said = {"x-gateway-tags": "team=search, other=1", "session-id": "s-1", "user-agent": "app/1"}
    async with stage(tmp_path, attribution={"tags": "team,feature,user"}) as on:
        sent = body(metadata={"feature": "chat", "run": "7"}, user="u-1")
        await on.post(sent, **said)
        (entry,) = await on.settled(1)
        received = on.simulator.requests[-1]
    assert (received.header("x-gateway-tags"), json.loads(received.body)) == ("", sent)
    assert entry.tags == {
        "team": "search",
        "feature": "chat",
        "gw_agent": "app",
        "gw_session": "s-1",
        "user": "u-1",
    }


async def test_all_three_ids_are_in_one_line(
    shared_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(shared_stage.entries())
    with caplog.at_level(logging.INFO, logger="gateway.exchange"):
        answer = await shared_stage.post(body(), **{"x-client-request-id": "mine-2"})
        await shared_stage.settled(before + 1)
    (record,) = (one for one in caplog.records if one.getMessage() == "exchange")
    (line,) = record.__dict__[LINES]
    assert line.client_request_id == "mine-2"
    assert line.upstream_request_id == answer.headers["x-request-id"]
    assert line.request_id == answer.headers["x-gateway-request-id"]


async def test_what_is_malformed_or_about_the_way_here_goes_nowhere(shared_stage: Stage) -> None:
    before = len(shared_stage.entries())
    await shared_stage.post(
        body(),
        **{
            "x-client-request-id": "two words",
            "traceparent": "00-1-2-3",
            "tracestate": "a=1",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-host": "elsewhere",
            "x-forwarded-proto": "https",
            "forwarded": "for=203.0.113.9",
            "x-real-ip": "203.0.113.9",
        },
    )
    names = {name.lower() for name, _ in shared_stage.simulator.requests[-1].headers}
    refused = ("x-forwarded", "forwarded", "x-real", "trace", "x-client")
    assert not [name for name in names if name.startswith(refused)]
    (entry,) = (await shared_stage.settled(before + 1))[before:]
    assert CLIENT_REQUEST_TAG not in entry.tags


async def statuses(on: Stage, address: str, key: str, times: int) -> list[int]:
    """Of so many requests from an address with a key."""
    shown = {"authorization": f"Bearer {key}", "x-forwarded-for": address}
    return [(await on.post(body(), **shown)).status_code for _ in range(times)]


async def test_an_address_that_shows_no_valid_key_is_told_to_wait(tmp_path: Path) -> None:
    chosen = {"trusted_proxies": "127.0.0.0/8", "failed_attempts_max": 3}
    async with stage(tmp_path, ingress=chosen) as one:
        # The log of changes names a new key once more: only the second request's lookup is kept.
        assert await statuses(one, "203.0.113.9", one.key, 2) == [200, 200]
        assert await statuses(one, "203.0.113.9", "gw_wrong", 5) == [401] * 3 + [429] * 2
        assert await statuses(one, "203.0.113.10", "gw_wrong", 1) == [401]
        assert await statuses(one, "203.0.113.9", one.key, 1) == [200]
        answer = await one.post(
            body(), **{"authorization": "Bearer gw_wrong", "x-forwarded-for": "203.0.113.9"}
        )
        assert answer.json()["error"]["code"] == "too_many_failed_attempts"
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert len(await one.settled(3)) == 3


async def test_who_trusts_nobody_limits_no_neighbour(shared_stage: Stage) -> None:
    assert set(await statuses(shared_stage, "203.0.113.9", "gw_wrong", 22)) == {401}


async def test_one_connection_too_many_is_closed(tmp_path: Path) -> None:
    async with stage(tmp_path, limits={"connections_max": 2}) as one:
        held = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(b"POST /v1/responses HTTP/1.1\r\nhost: a\r\n\r\n")
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(content)["error"]["code"] == "overloaded"
        async with httpx.AsyncClient(trust_env=False) as client:
            for probe in ("livez", "readyz"):
                asked = await client.get(f"http://127.0.0.1:{one.port}/{probe}")
                assert asked.json() == {"status": "ok"}
        for _, other in [*held, (reader, writer)]:
            other.close()
            await other.wait_closed()
        await until(lambda: not one.server.server_state.connections)
        assert (await one.post(body())).status_code == 200


@pytest.mark.parametrize(
    ("directive", "reason"),
    [
        ("stall=0,600", "upstream_no_first_event"),
        ("kind=keepalive; keepalive=2; stall=terminal,600", "upstream_idle_timeout"),
    ],
)
async def test_a_silent_upstream_is_told_by_its_phase(
    tmp_path: Path, directive: str, reason: str
) -> None:
    async with stage(tmp_path, upstream={"idle_seconds": 0.3}) as one:
        with pytest.raises(httpx.RemoteProtocolError):
            await one.post(body(f"[sim: {directive}]", store=False))
        (entry,) = await one.settled(1)
        assert (entry.reason, entry.outcome, entry.basis) == (reason, "aborted", "worst_case")


async def test_silence_after_the_start_and_before_the_head(tmp_path: Path) -> None:
    waits = {"idle_seconds": 0.3, "first_byte_seconds": 0.3}
    async with stage(tmp_path, upstream=waits) as one:
        one.simulator.replay(STARTED, pieces=[len(STARTED)], name="started")
        with pytest.raises(httpx.RemoteProtocolError):
            await one.post(body(f"[sim: replay=started; stall={len(STARTED)},600]"))
        assert (await one.post(body("[sim: delay=60000]"))).status_code == 504
        reasons = [entry.reason for entry in await one.settled(2)]
        assert reasons == ["upstream_silent_after_start", "upstream_first_byte_timeout"]


async def test_keep_alives_satisfy_the_limit(tmp_path: Path) -> None:
    async with stage(tmp_path, upstream={"idle_seconds": 1}) as one:
        answer = await one.post(body("[sim: output=4; keepalive=1; slow=100]"))
        assert answer.content.count(b"event: keepalive") > 4
        (entry,) = await one.settled(1)
        assert_exact(entry, one.simulator.served[0])
