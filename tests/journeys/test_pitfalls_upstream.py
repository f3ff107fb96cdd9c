"""Known pitfalls of proxies at the upstream's side, by number; tests/README.md has them all."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.rawserver import RawServer, Script, read_request, send, send_apart
from tests.journeys.bill import assert_exact
from tests.journeys.caller import Caller, calling, whole_answer
from tests.journeys.cuts import all_of, replayed
from tests.journeys.stage import WAIT_SECONDS_MAX, Stage, body, stage

HOPS = {
    "keep-alive": "timeout=5",
    "proxy-authenticate": "Basic",
    "proxy-authorization": "Basic c2VjcmV0",
    "proxy-connection": "keep-alive",
    "te": "trailers",
    "trailer": "x-cost",
    "upgrade": "h2c",
    "x-named": "by connection",
}
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
DECOY = {"input_tokens": 1, "output_tokens": 999_999, "total_tokens": 1_000_000}
CUTS = 60


def response(**fields: object) -> dict[str, object]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5-mini",
        **fields,
    }


WHOLE = json.dumps(response(usage=USAGE)).encode()
COMPLETED = (
    b"event: response.completed\ndata: %b\n\n"
    % json.dumps({"type": "response.completed", "response": response(usage=USAGE)}).encode()
)


def lines(headers: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def counted(content: bytes, head: bytes = JSON) -> bytes:
    return head + b"content-length: %d\r\n\r\n%b" % (len(content), content)


@asynccontextmanager
async def before(folder: Path, script: Script) -> AsyncIterator[tuple[Stage, RawServer]]:
    """A gateway in front of an upstream that speaks in raw bytes."""
    async with (
        asyncio.timeout(WAIT_SECONDS_MAX),
        RawServer(script) as upstream,
        stage(folder, upstream={"base_url": upstream.url}) as on,
    ):
        yield on, upstream


def names(head: bytes) -> set[bytes]:
    return {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}


async def test_p01_no_header_of_a_hop_crosses_either_way(tmp_path: Path) -> None:
    connection = b"connection: keep-alive, x-named\r\n"
    script = [read_request, send(counted(WHOLE, JSON + lines(HOPS) + connection))]
    async with before(tmp_path, script) as (on, upstream):
        sent = {name: value for name, value in HOPS.items() if name != "upgrade"}
        told = await whole_answer(
            on.port,
            on.key,
            body(stream=False),
            *(f"{name}: {value}" for name, value in sent.items()),
            "connection: x-named",
        )
    assert (told.status, bytes(told.body)) == (200, WHOLE)
    hops = {name.encode() for name in HOPS} | {b"transfer-encoding"}
    assert not names(told.head) & hops
    arrived = upstream.requests[0].partition(b"\r\n\r\n")[0]
    assert not names(arrived) & hops


async def test_p07_interim_answers_are_no_answers(tmp_path: Path) -> None:
    interim = b"".join(
        b"HTTP/1.1 %d Wait\r\nx-interim: yes\r\n\r\n" % status for status in (100, 102, 103)
    )
    async with before(tmp_path, [read_request, send(interim + counted(WHOLE))]) as (on, _):
        told = await whole_answer(on.port, on.key, body(stream=False))
        assert (told.status, bytes(told.body)) == (200, WHOLE)
        assert b"x-interim" not in told.head
        assert (await on.settled(1))[0].basis == "reported"


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\0\r\n"], ids=["lf", "cr", "nul"])
async def test_p13_no_word_of_the_upstream_s_becomes_a_header(
    tmp_path: Path, ending: bytes
) -> None:
    echoed = b"x-echo: of a prompt" + ending + b"x-forged: yes\r\n"
    async with before(tmp_path, [read_request, send(counted(WHOLE, JSON + echoed))]) as (on, _):
        told = await whole_answer(on.port, on.key, body(stream=False))
        assert (told.status, told.json["error"]["code"]) == (502, "upstream_malformed")
        assert not {b"x-echo", b"x-forged"} & names(told.head)
        assert (await on.settled(1))[0].basis == "worst_case"


async def test_p09_what_comes_compressed_all_the_same_is_passed_and_metered(
    tmp_path: Path,
) -> None:
    packed = gzip.compress(COMPLETED)
    head = SSE + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with before(tmp_path, [read_request, send(head), send_apart(packed)]) as (on, upstream):
        told = await whole_answer(on.port, on.key, body())
        assert bytes(told.body) == packed
        (entry,) = await on.settled(1)
        assert (entry.basis, entry.output_tokens) == ("reported", USAGE["output_tokens"])
    assert b"\r\naccept-encoding: identity\r\n" in upstream.requests[0].lower()


async def test_p16_a_trailer_is_no_header_and_no_body(tmp_path: Path) -> None:
    chunked = b"transfer-encoding: chunked\r\ntrailer: x-cost\r\n\r\n%x\r\n%b\r\n0\r\n" % (
        len(COMPLETED),
        COMPLETED,
    )
    trailers = b"X-Cost: 0\r\nSet-Cookie: a=b\r\n\r\n"
    async with before(tmp_path, [read_request, send(SSE + chunked + trailers)]) as (on, _):
        async with calling(on.port, on.key, body(), "te: trailers") as told:
            await told.read()
            assert (told.ending, bytes(told.body)) == ("whole", COMPLETED)
            assert b"x-cost" not in told.head.lower()
            told.writer.write_eof()
            assert await told.reader.read() == b""
        assert (await on.settled(1))[0].basis == "reported"


@pytest.mark.parametrize("place", ["metadata", "tools", "text", "before", "after"])
async def test_p21_a_usage_that_is_only_said_is_none(shared_stage: Stage, place: str) -> None:
    said = json.dumps({"usage": DECOY, "response": {"usage": DECOY}})
    wrong = {"usage": DECOY, "response": {"usage": DECOY}}
    cases: dict[str, dict[str, object]] = {
        "metadata": {"metadata": {"usage": said}},
        "tools": {"tools": [{"type": "function", "name": "f", "parameters": wrong}]},
        "text": {"output": [{"type": "message", "content": [{"text": said}]}]},
    }
    event: dict[str, object] = {
        "type": "response.completed",
        "response": response(**cases.get(place, {}), usage=USAGE),
    }
    if place == "before":
        event = {"usage": DECOY, "x": wrong, **event}
    if place == "after":
        event = {**event, "usage": DECOY, "x": wrong}
    on, count = shared_stage, len(shared_stage.entries())
    data = f"event: response.completed\ndata: {json.dumps(event)}\n\n".encode()
    await replayed(on, data, name=f"decoy-{place}")
    entry = (await on.settled(count + 1))[-1]
    assert (entry.input_tokens, entry.output_tokens) == (7, 5)


NEW_EVENT = json.dumps({"type": "response.of_tomorrow", "response": response(usage=DECOY)}).encode()
NO_EVENTS = {
    "comments": b": ping\n\n" + COMPLETED.replace(b"data: ", b": within\n:data: not this\ndata: "),
    "done": COMPLETED + b"data: [DONE]\n\n",
    "unknown": COMPLETED + b"event: response.of_tomorrow\ndata: " + NEW_EVENT + b"\n\n",
    "unnamed": b"data: " + NEW_EVENT + b"\n\nevent: keepalive\ndata: {}\n\n" + COMPLETED,
    "error": b'event: error\ndata: {"type": "error", "code": "slow"}\n\n' + COMPLETED,
}


@pytest.mark.parametrize("kind", NO_EVENTS)
async def test_p22_what_is_no_terminal_event_passes_and_changes_nothing(
    shared_stage: Stage, kind: str
) -> None:
    count = len(shared_stage.entries())
    await replayed(shared_stage, NO_EVENTS[kind], name=f"p22-{kind}")
    entry = (await shared_stage.settled(count + 1))[-1]
    assert (entry.outcome, entry.basis, entry.problem) == ("completed", "reported", None)
    assert (entry.input_tokens, entry.output_tokens) == (7, 5)


async def cut_at(on: Stage, offset: int) -> tuple[int, Caller]:
    how = "cut" if offset % 2 else "reset"
    asked = body(f"[sim: {how}={offset}; output=40]", stream_options={"include_obfuscation": False})
    async with calling(on.port, on.key, asked) as caller:
        await caller.read()
    return offset, caller


async def cut_anywhere(folder: Path, count: int) -> None:
    async with stage(folder) as on:
        _, whole = await cut_at(on, 10**7)
        assert whole.ending == "whole"
        size = len(whole.body)
        offsets = [random.Random(count).randrange(size) for _ in range(count)]
        told = await all_of(offsets, lambda offset: cut_at(on, offset))
        for offset, caller in told:
            assert caller.ending in ("cut", "reset"), f"cut at {offset}, it looked whole"
            assert len(caller.body) <= offset
        entries = await on.settled(count + 1)
        served = {one.response_id: one for one in on.simulator.served}
        for entry in entries:
            if entry.response_id is not None:
                basis = "reported" if entry.reason is None else "retrieved"
                assert_exact(entry, served[entry.response_id], basis)
            else:
                assert entry.basis == "worst_case"
                assert entry.cost_pusd == entry.hold_pusd > 0


async def test_p24_wherever_it_is_cut_no_client_sees_a_clean_end(tmp_path: Path) -> None:
    await cut_anywhere(tmp_path, CUTS)


@pytest.mark.long
async def test_p24_wherever_it_is_cut_often(tmp_path: Path) -> None:
    await cut_anywhere(tmp_path, 5 * CUTS)


async def test_p40_no_proxy_of_the_environment_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer([]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for kind in ("fast", "stock"):
            async with stage(tmp_path / kind, upstream={"transport": kind}) as on:
                assert (await whole_answer(on.port, on.key, body())).status == 200
        assert proxy.connections == 0
