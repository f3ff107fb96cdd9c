"""Known pitfalls of proxies at the client's side, by number; tests/README.md has them all."""

import asyncio
import gzip
import json
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, calling, request_head, whole_answer
from tests.journeys.cuts import header
from tests.journeys.process import GatewayProcess, process_stage
from tests.journeys.stage import WAIT_SECONDS_MAX, Stage, body, make_key, stage, until

ALLOWED = {
    "accept", "content-type", "user-agent", "openai-beta", "idempotency-key",
    "x-client-request-id", "traceparent", "tracestate",
}  # fmt: skip
OWN = {"host", "content-length", "authorization", "accept-encoding"}
HEADERS = 500
IDLE_CONNECTIONS = 2000
STREAMS = 50
BOUNDARY_BYTES = 1_000_000
MIB = 1024 * 1024
BODIES = 20
BODY_MIB = 8
GROWTH_BYTES_MAX = 64 * MIB


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as this process may ever have: both ends of a connection are here."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def told_status(on: Stage | GatewayProcess, request: bytes) -> Caller:
    """One request by hand, read to the end of its answer."""
    caller = await Caller.connect(on.port)
    try:
        caller.writer.write(request)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await caller.read()
    finally:
        caller.writer.transport.abort()
    return caller


def random_headers(seed: int) -> list[str]:
    """Names that look like what might cross, and some that may."""
    dice = random.Random(seed)
    stems = ["x", "authorization", "openai", "cookie", "proxy", "x-stainless", "host", "via", "te"]
    names = {f"{dice.choice(stems)}-{dice.randrange(10**6)}" for _ in range(HEADERS)}
    return [f"{name}: {dice.randrange(10**6)}" for name in sorted(names)]


async def test_p03_of_five_hundred_headers_only_the_listed_arrive(shared_stage: Stage) -> None:
    on = shared_stage
    before = len(on.simulator.requests)
    told = await whole_answer(on.port, on.key, body(), *random_headers(1))
    assert told.status == 200
    (received,) = list(on.simulator.requests)[before:]
    crossed = {name.lower() for name, _ in received.headers} - {"connection"}
    assert {name for name in crossed if not name.startswith("x-stainless-")} <= ALLOWED | OWN
    assert sum(name.startswith("x-stainless-") for name in crossed) > 10, "those that may, do"


async def test_p05_the_body_is_framed_anew(shared_stage: Stage) -> None:
    on = shared_stage
    content = json.dumps(body("é" * 1000)).encode()
    head = request_head(on.key, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    told = await told_status(on, head + chunks + b"0\r\n\r\n")
    assert told.status == 200
    received = on.simulator.requests[-1]
    assert received.header("content-length") == str(len(content))
    assert (received.header("transfer-encoding"), received.body) == ("", content)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x-unknown"])
async def test_p10_an_encoded_body_is_refused(shared_stage: Stage, coding: str) -> None:
    on = shared_stage
    before = len(on.simulator.requests)
    bomb = gzip.compress(b" " * 10_000_000 + json.dumps(body()).encode())
    head = request_head(on.key, len(bomb), f"content-encoding: {coding}")
    told = await told_status(on, head + bomb)
    assert (told.status, told.json["error"]["code"]) == (415, "unsupported_encoding")
    assert len(on.simulator.requests) == before


async def test_p13_no_line_end_in_a_body_becomes_a_header(shared_stage: Stage) -> None:
    on = shared_stage
    forged = "a\r\nX-Forged: b\r\n\r\n"
    asked = body(forged, metadata={"note": forged}, user=forged, safety_identifier=forged)
    told = await whole_answer(on.port, on.key, asked)
    assert told.status == 200
    assert b"x-forged" not in told.head.lower()
    assert not on.simulator.requests[-1].header("x-forged")
    wrong = await whole_answer(on.port, on.key, body(model=f"gpt-{forged}"))
    assert wrong.status == 400
    assert b"x-forged" not in wrong.head.lower()


async def test_p13_a_name_with_an_underscore_is_no_other_name(shared_stage: Stage) -> None:
    on = shared_stage
    lines = ("openai_beta: x", "user_agent: x", "content_type: text/plain", "idempotency_key: x")
    assert (await whole_answer(on.port, on.key, body(), *lines)).status == 200
    crossed = {name.lower() for name, _ in on.simulator.requests[-1].headers}
    assert not [name for name in crossed if "_" in name]
    content = json.dumps(body()).encode()
    shown = request_head(on.key, len(content)).replace(b"authorization:", b"authorization_:")
    assert (await told_status(on, shown + content)).status == 401


async def test_p14_one_of_a_kind_and_any_case(shared_stage: Stage) -> None:
    on = shared_stage
    content = json.dumps(body()).encode()
    head = request_head(on.key, len(content))
    twice = head.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n")
    refused = await told_status(on, twice + content)
    assert (refused.status, refused.json["error"]["code"]) == (400, "invalid_headers")
    loud = head.replace(b"authorization: Bearer", b"AUTHORIZATION: bearer")
    assert (await told_status(on, loud + content)).status == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/responses", "/livez", "/nowhere"])
async def test_p17_an_answer_to_head_has_no_body(shared_stage: Stage, path: str) -> None:
    on = shared_stage
    caller = await Caller.connect(on.port)
    caller.writer.write(f"HEAD {path} HTTP/1.1\r\nhost: gateway\r\n\r\n".encode())
    await caller.reader.readuntil(b"\r\n\r\n")
    # If a body came, it would be read as the next answer's head.
    caller.writer.write(b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n")
    assert await caller.reader.readline() == b"HTTP/1.1 200 OK\r\n"
    caller.writer.transport.abort()


async def test_p26_requests_in_a_pipeline_are_answered_in_order(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        caller = await Caller.connect(on.port)
        words = (30, 20, 10)  # the first is the slowest
        for count in words:
            slow = f"delay={count * 10}; output={count}"
            caller.ask(on.key, body(f"Hello [sim: {slow}]", stream=False))
        for count in words:
            caller.head = await caller.reader.readuntil(b"\r\n\r\n")
            length = int(header(caller, "content-length"))
            answer = json.loads(await caller.reader.readexactly(length))
            assert (caller.status, answer["usage"]["output_tokens"]) == (200, count)
        caller.writer.transport.abort()
        assert_all_exact(await on.settled(3), on.simulator.served)


async def endless(port: int, head: bytes) -> Caller:
    """Send a body of some size without its end, and read what is answered, if anything is."""
    caller = await Caller.connect(port)
    chunk = b"%x\r\n" % MIB + b"x" * MIB + b"\r\n"
    try:
        caller.writer.write(head)
        for _ in range(BODY_MIB):
            caller.writer.write(chunk)
            await caller.writer.drain()
        await caller.read()
    finally:
        caller.leave("rst")
    return caller


async def test_p32_bodies_without_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    room = 2 * BODY_MIB * MIB
    limits = {
        "GATEWAY_LIMITS_REQUEST_BYTES_MAX": str(room),
        "GATEWAY_LIMITS_REQUEST_TOTAL_BYTES_MAX": str(room),
        "GATEWAY_LIMITS_BODY_STALL_SECONDS_MAX": "600",  # who has room waits: that is no stall here
    }
    async with process_stage(tmp_path, **limits) as on:
        port = on.gateway.port
        assert (await whole_answer(port, on.key, body())).status == 200
        before = on.gateway.resident_bytes_max()
        head = request_head(on.key, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
        sending = [asyncio.ensure_future(endless(port, head)) for _ in range(BODIES)]
        await until(lambda: sum(one.done() for one in sending) >= BODIES - 2)
        for told in [one.result() for one in sending if one.done()]:
            assert (told.status, told.json["error"]["code"]) == (503, "overloaded")
            assert header(told, "x-should-retry") == "true"
        growth = on.gateway.resident_bytes_max() - before
        print(f"{BODIES} bodies of {BODY_MIB} MiB without end: grew by {growth / MIB:.1f} MiB")
        assert growth < GROWTH_BYTES_MAX < BODIES * BODY_MIB * MIB
        # One or two have their room. What is announced and does not fit beside them is not read.
        told = await told_status(on.gateway, request_head(on.key, room))
        assert (told.status, told.json["error"]["code"]) == (503, "overloaded")
        for one in sending:
            one.cancel()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while (await whole_answer(port, on.key, body("x" * (room - 1000)))).status != 200:
                await asyncio.sleep(0.01)


async def test_p33_idle_connections_take_nobody_s_place(tmp_path: Path, many_files: None) -> None:
    async with stage(tmp_path) as on:
        idle = [await Caller.connect(on.port) for _ in range(IDLE_CONNECTIONS)]
        for caller in idle[::2]:  # these are kept alive behind an answer, the others said nothing
            caller.writer.write(b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n")
        for caller in idle[::2]:
            await caller.read()
        assert len(on.server.server_state.connections) == IDLE_CONNECTIONS
        told = await asyncio.gather(*(whole_answer(on.port, on.key, body()) for _ in range(20)))
        assert {(one.status, one.ending) for one in told} == {(200, "whole")}
        await on.settled(20)
        for caller in idle:
            caller.writer.transport.abort()


async def test_p34_fifty_open_streams_outlive_sigterm(tmp_path: Path) -> None:
    asked = body("[sim: stall=2000,4; output=50]")
    async with process_stage(tmp_path) as on:

        async def ask() -> str:
            while True:  # a busy machine may refuse a hold in time; a client would come again, too
                async with calling(on.gateway.port, on.key, asked) as caller:
                    await caller.read()
                if caller.status != 503:
                    return caller.ending

        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask()) for _ in range(STREAMS)]
            await until(lambda: len(on.simulator.requests) == STREAMS)
            open_count = on.simulator.open_count
            on.gateway.signal(signal.SIGTERM)
        assert open_count > STREAMS // 2, "most were still open"
        assert [task.result() for task in asking] == ["whole"] * STREAMS
        assert await on.gateway.exit_code() == 0
        assert_all_exact(await on.settled(STREAMS), on.simulator.served)


async def test_p36_an_address_that_is_only_said_changes_nothing(tmp_path: Path) -> None:
    trusted = {"trusted_proxies": "127.0.0.0/8", "failed_attempts_max": 3}
    async with stage(tmp_path, ingress=trusted) as on:
        # What the proxy saw is at the right; what its client said of itself is at the left.
        told = [
            await whole_answer(
                on.port,
                "gw_wrong",
                body(),
                f"x-forwarded-for: 198.51.100.{number}, 203.0.113.9",
                "forwarded: for=198.51.100.1",
                f"x-real-ip: 198.51.100.{number}",
            )
            for number in range(5)
        ]
        assert [one.status for one in told] == [401] * 3 + [429] * 2
        said = ("x-forwarded-for: 127.0.0.1", "x-real-ip: 127.0.0.1", "forwarded: for=127.0.0.1")
        assert (await whole_answer(on.port, on.key, body(), *said)).status == 200
        crossed = {name.lower() for name, _ in on.simulator.requests[-1].headers}
        assert not crossed & {"x-forwarded-for", "x-real-ip", "forwarded"}


async def test_p15_what_one_tenant_was_given_no_other_shows(shared_stage: Stage) -> None:
    on = shared_stage
    other = make_key(on.engine, "other/tenant")
    for key in (on.key, other, on.key):
        told = await whole_answer(on.port, key, body(), "cookie: of=mine")
        assert b"set-cookie" not in told.head.lower()
        assert not on.simulator.requests[-1].header("cookie")


@pytest.mark.parametrize("boundary_bytes", [10, BOUNDARY_BYTES])
async def test_p43_a_form_is_refused_unread(shared_stage: Stage, boundary_bytes: int) -> None:
    on = shared_stage
    before = len(on.simulator.requests)
    boundary = "-" * min(boundary_bytes, 60_000)
    content = (
        b"--" + b"-" * boundary_bytes + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    )
    head = request_head(on.key, len(content)).replace(
        b"application/json", f"multipart/form-data; boundary={boundary}".encode()
    )
    told = await told_status(on, head + content)
    assert told.status == 415
    assert len(on.simulator.requests) == before
