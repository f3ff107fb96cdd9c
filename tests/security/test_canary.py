"""Secrets, prompts and answers leave no trace: journeys with known words, and then a search.

Searched are the log at its most talkative, every file of the state folder (database, WAL, journal),
the metrics, the heads of all answers and, for the gateway's own keys, what went upstream.
"""

import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from gateway.adapters.directory import Directory
from tests.journeys.caller import Caller, calling
from tests.journeys.process import ProcessStage, process_stage
from tests.journeys.stage import body, now_us, until

UPSTREAM_KEY = "sk-canary-of-the-upstream-8d1f"
ADMIN_TOKEN = "canary-of-the-operator-5b77"
HEADER = "canary-in-a-header-77ac"
PROMPT = "canary-in-the-prompt-2c90"
ANSWER = "canary-in-the-answer-f04e"
USAGE = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
LEFT_BYTES = 200


def response(status: str, **fields: object) -> dict[str, object]:
    return {
        "id": "resp_canary",
        "object": "response",
        "status": status,
        "model": "gpt-5-mini",
        **fields,
    }


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


OUTPUT = [{"type": "message", "content": [{"type": "output_text", "text": ANSWER}]}]
WHOLE = json.dumps(response("completed", output=OUTPUT, usage=USAGE)).encode()
STREAM = b"".join(
    [
        event("response.created", response=response("in_progress", instructions=PROMPT)),
        event("response.output_text.delta", delta=ANSWER),
        event("response.completed", response=response("completed", output=OUTPUT, usage=USAGE)),
    ]
)
FAILED = event(
    "response.failed",
    response=response("failed", error={"code": "server_error", "message": ANSWER}),
)


@dataclass(slots=True, kw_only=True)
class Trace:
    """Everything that could hold a word, after all journeys."""

    on: ProcessStage
    keys: list[str]
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    metrics: str = ""

    @property
    def places(self) -> dict[str, bytes]:
        files = {
            path.name: path.read_bytes() for path in self.on.folder.rglob("*") if path.is_file()
        }
        return {**files, "metrics": self.metrics.encode(), "heads": b"".join(self.heads)}

    def heard(self, told: Caller) -> None:
        self.heads.append(told.head)
        self.bodies.append(bytes(told.body))


def asked(directive: str, **fields: object) -> dict[str, object]:
    more = {"instructions": PROMPT, "metadata": {"note": PROMPT}, "user": PROMPT}
    tools = [{"type": "function", "name": "f", "description": PROMPT, "parameters": {}}]
    return body(f"{PROMPT} [sim: {directive}]", **more, tools=tools, **fields)


async def speak(trace: Trace, request: dict[str, object], *lines: str, key: str = "") -> None:
    async with calling(trace.on.gateway.port, key or trace.keys[0], request, *lines) as caller:
        await caller.read()
        trace.heard(caller)


async def hang_up(trace: Trace) -> None:
    request = asked(f"replay=stream; stall={LEFT_BYTES},0.2")
    async with calling(trace.on.gateway.port, trace.keys[0], request) as caller:
        await caller.read(LEFT_BYTES)
        trace.heard(caller)
        caller.leave("rst")


async def kill(trace: Trace) -> None:
    request = asked(f"replay=stream; stall={LEFT_BYTES},5")
    async with calling(trace.on.gateway.port, trace.keys[0], request) as caller:
        await caller.read(LEFT_BYTES)
        trace.on.gateway.signal(signal.SIGKILL)
        await trace.on.gateway.exit_code()
    await trace.on.start()


async def journeys(trace: Trace) -> None:
    """Each way that a request can go, with the words wherever a client can put them."""
    sim = trace.on.simulator
    sim.replay(STREAM, name="stream")
    sim.replay(WHOLE, name="whole", content_type="application/json")
    sim.replay(FAILED, name="failed")
    header = f"x-custom: {HEADER}"
    await speak(trace, asked("replay=stream"), header, f"cookie: {HEADER}")
    await speak(trace, asked("replay=whole", stream=False), header)
    await speak(trace, asked("replay=failed"))
    await speak(trace, asked("status=429"))
    await speak(trace, asked("replay=stream; reset=300"))
    await speak(trace, asked("replay=stream; cut=300"))
    await speak(trace, asked("delay=1", model=None))
    await speak(trace, asked("delay=1", max_output_tokens=PROMPT))
    await speak(trace, asked("delay=1"), key=f"{trace.keys[0][:-1]}-")
    await speak(trace, asked("delay=1"), key=trace.keys[1])
    await hang_up(trace)
    await kill(trace)
    await speak(trace, asked("replay=stream"))
    await until(lambda: trace.on.holds() == 0)


async def read_metrics(trace: Trace) -> None:
    url = f"http://127.0.0.1:{trace.on.gateway.port}/metrics"
    async with httpx.AsyncClient(trust_env=False) as client:
        for shown in (ADMIN_TOKEN, f"{ADMIN_TOKEN}-wrong"):
            answer = await client.get(url, headers={"authorization": f"Bearer {shown}"})
            trace.metrics += answer.text + str(answer.headers)


@pytest.fixture(scope="module")
async def trace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trace]:
    environment = {
        "GATEWAY_UPSTREAM_API_KEY": UPSTREAM_KEY,
        "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN,
        "GATEWAY_LOG_LEVEL": "debug",
    }
    folder: Path = tmp_path_factory.mktemp("gateway")
    async with process_stage(folder, **environment) as on:
        directory = Directory(engine=on.engine, now_us=now_us)
        directory.create_tenant("acme/left")
        revoked = directory.issue_key("acme/left")
        directory.revoke_key(revoked.id)
        one = Trace(on=on, keys=[on.key, revoked.text])
        await journeys(one)
        await read_metrics(one)
        yield one


async def test_the_journeys_were_made(trace: Trace) -> None:
    """Or nothing would be found because nothing was there."""
    outcomes = {entry.outcome for entry in trace.on.entries()}
    assert outcomes >= {"completed", "failed", "aborted"}
    assert {entry.basis for entry in trace.on.entries()} >= {"reported", "worst_case"}
    statuses = {int(head.split(b" ")[1]) for head in trace.heads}
    assert statuses >= {200, 400, 401, 429}
    assert any(ANSWER.encode() in content for content in trace.bodies)
    assert any(PROMPT.encode() in each.body for each in trace.on.simulator.requests)
    assert "gateway_requests_total" in trace.metrics
    assert {"gateway.log", "gateway.db", "gateway.db-wal"} <= set(trace.places)
    assert trace.on.key.split("_")[1].encode() in trace.places["gateway.db-wal"], "an id is found"


@pytest.mark.parametrize("word", [UPSTREAM_KEY, ADMIN_TOKEN, PROMPT, ANSWER, HEADER])
async def test_no_place_holds_the_word(trace: Trace, word: str) -> None:
    places = trace.places
    assert [name for name, content in places.items() if word.encode() in content] == []


async def test_no_place_holds_a_key_of_ours(trace: Trace) -> None:
    """Neither whole nor its secret; its id and its digest are what the database is for."""
    secrets = [key.split("_", 2)[2].encode() for key in trace.keys]
    found = [name for name, content in trace.places.items() for each in secrets if each in content]
    assert found == []


async def test_the_upstream_is_shown_its_own_key_and_nothing_of_ours(trace: Trace) -> None:
    assert trace.on.simulator.requests
    for received in trace.on.simulator.requests:
        assert received.header("authorization") == f"Bearer {UPSTREAM_KEY}"
        sent = repr(received.headers).encode() + received.target.encode() + received.body
        for word in (*trace.keys, ADMIN_TOKEN, HEADER):
            assert word.encode() not in sent


async def test_errors_of_ours_repeat_nothing(trace: Trace) -> None:
    for head, content in zip(trace.heads, trace.bodies, strict=True):
        if int(head.split(b" ")[1]) in (400, 401):
            for word in (UPSTREAM_KEY, ADMIN_TOKEN, PROMPT, *trace.keys):
                assert word.encode() not in content, content
