"""Policies over real sockets: what they change is told everywhere, what they deny is never sent."""

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.policies import Policies
from gateway.adapters.rules import RulesCache
from tests.journeys.caller import Caller, request_head
from tests.journeys.held import quiet
from tests.journeys.stage import (
    TENANT,
    WAIT_SECONDS_MAX,
    Stage,
    body,
    make_key,
    now_us,
    stage,
    until,
)

GIVEN = {
    "models": ["gpt-5-mini", "gpt-5-nano"],
    "aliases": {"fast": "gpt-5-nano"},
    "max_output_tokens_cap": 200,
    "tools": ["function"],
}


@pytest.fixture(scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway whose tenant has a policy."""
    async with stage(tmp_path_factory.mktemp("gateway")) as one:
        Policies(engine=one.engine, now_us=now_us).change(TENANT, given=GIVEN)
        yield one


def sent(on: Stage) -> dict[str, Any]:
    """The body that the upstream saw last."""
    found: dict[str, Any] = json.loads(on.simulator.requests[-1].body)
    return found


@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_policy_changed_is_told(on: Stage, stream: bool) -> None:
    before = len(on.entries())
    asked = body("H\u00e9llo", model="fast", max_output_tokens=8000, stream=stream)
    answer = await on.post(asked)
    assert answer.status_code == 200
    line = "model=gpt-5-nano (was fast), max_output_tokens=200 (was 8000)"
    assert answer.headers.get_list("x-gateway-policy") == [line]
    assert sent(on) == {**asked, "model": "gpt-5-nano", "max_output_tokens": 200}
    entry = (await on.settled(before + 1))[-1]
    assert entry.tags == {"gw_policy": line, "gw_agent": "python-httpx"}
    assert (entry.model, entry.outcome, entry.basis) == ("gpt-5-nano", "completed", "reported")


async def test_a_change_is_counted(on: Stage) -> None:
    async with on.client() as client:
        url = on.base_url.removesuffix("/v1") + "/metrics"
        name = f'gateway_clamped_total{{field="max_output_tokens",tenant="{TENANT}"}} '

        async def count() -> float:
            lines = (await client.get(url)).text.splitlines()
            return float(next((one for one in lines if one.startswith(name)), "x 0").split()[-1])

        before = await count()
        await on.post(body(max_output_tokens=201))
        assert await count() == before + 1


async def test_what_no_policy_changed_is_sent_byte_for_byte(on: Stage) -> None:
    asked = (
        b'{ "input" : "H\\u00e9llo" ,\n "max_output_tokens":200, "x":1.0e2,"model":"gpt-5-mini"}'
    )
    answer = await on.post(asked)
    assert answer.status_code == 200
    assert "x-gateway-policy" not in answer.headers
    assert on.simulator.requests[-1].body == asked


MCP = [{"type": "mcp", "server_url": "https://elsewhere.example"}]
WAYS: list[tuple[bytes, str]] = [
    (b'{"model":"gpt-5","input":"x"}', "policy_denied"),
    (b'{"model":"gpt-5-mini","model":"gpt-5","input":"x"}', "invalid_json"),
    (b'{"model":"gpt-5-mini","mod\\u0065l":"gpt-5","input":"x"}', "invalid_json"),
    (b'{"model":"gpt-5-mini","Model":"gpt-5","input":"x"}', "unknown_field"),
    (b'{"model":"gpt-5-mini","max_output_tokens":1e3}', "invalid_type"),
    (b'{"model":"gpt-5-mini","max_output_tokens":NaN}', "invalid_json"),
    ('{"model":"gpt-5-mini","bac\u212aground":true}'.encode(), "unknown_field"),
    (b'\xef\xbb\xbf{"model":"gpt-5-mini","input":"x"}', "invalid_json"),
    ('{"model":"gpt-5-mini","input":"x"}'.encode("utf-16"), "invalid_json"),
    (b'{"model":"gpt-5-mini","input":' + b"[" * 80 + b"]" * 80 + b"}", "invalid_json"),
    (json.dumps(body(tools=MCP)).encode(), "policy_denied"),
    (json.dumps(body(tools=[{"type": "namespace", "tools": MCP}])).encode(), "policy_denied"),
    (json.dumps(body(input=[{"type": "x", "tools": MCP}])).encode(), "policy_denied"),
    (json.dumps(body(prompt={"id": "pmpt_1"})).encode(), "policy_denied"),
]


async def refused(on: Stage, content: bytes, head: bytes) -> tuple[int, str]:
    """Status and code of a refusal, of which nothing was sent, held or posted."""
    before = len(on.simulator.requests), len(on.entries())
    caller = await Caller.connect(on.port)
    caller.writer.write(head + content)
    await caller.read()
    caller.writer.close()
    await quiet(on)
    assert (len(on.simulator.requests), len(on.entries())) == before
    return caller.status, caller.json["error"]["code"]


@pytest.mark.parametrize(("content", "code"), WAYS)
async def test_no_way_round_by_the_body(on: Stage, content: bytes, code: str) -> None:
    assert await refused(on, content, request_head(on.key, len(content))) == (400, code)


PLAIN = json.dumps(body()).encode()


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("content-type: text/plain", 415, "unsupported_media_type"),
        ("content-type: application/json; charset=utf-16", 415, "unsupported_media_type"),
        ("content-type: application/json; charset=utf-7", 415, "unsupported_media_type"),
        ("content-type: multipart/form-data; boundary=x", 415, "unsupported_media_type"),
    ],
)
async def test_a_body_of_another_type(on: Stage, line: str, status: int, code: str) -> None:
    head = request_head(on.key, len(PLAIN))
    head = head.replace(b"content-type: application/json", line.encode())
    assert await refused(on, PLAIN, head) == (status, code)


async def test_two_types_are_one_too_many(on: Stage) -> None:
    head = request_head(on.key, len(PLAIN), "content-type: application/json")
    assert await refused(on, PLAIN, head) == (400, "invalid_headers")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x-gzip", "deflate"])
async def test_an_encoded_body(on: Stage, coding: str) -> None:
    content = gzip.compress(PLAIN)
    head = request_head(on.key, len(content), f"content-encoding: {coding}")
    assert await refused(on, content, head) == (415, "unsupported_encoding")
    head = request_head(
        on.key, len(content), "content-encoding: identity", f"content-encoding: {coding}"
    )
    assert await refused(on, content, head) == (415, "unsupported_encoding")


@pytest.mark.parametrize("query", ["model=gpt-5", "a=1&m%6fdel=gpt-5", "x;Model=gpt-5"])
async def test_no_way_round_by_the_query(on: Stage, query: str) -> None:
    head = request_head(on.key, len(PLAIN)).replace(b" HTTP", f"?{query} HTTP".encode(), 1)
    assert await refused(on, PLAIN, head) == (400, "unknown_field")


async def test_a_changed_policy_is_in_force_once_the_ledger_has_heard_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is not asked for: what is in force then is what the ledger's writer told.
    monkeypatch.setitem(vars(RulesCache)["__init__"].__kwdefaults__, "fresh_seconds", math.inf)
    async with stage(tmp_path) as one:
        policies = Policies(engine=one.engine, now_us=now_us)
        other = make_key(one.engine, "other")
        assert (await one.post(body())).status_code == 200
        policies.change("acme", given={"models": ["gpt-5"]})
        statuses: list[int] = []
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while statuses[-1:] in ([], [200]):
                statuses.append((await one.post(body())).status_code)
        assert statuses[-1] == 400
        headers = {"authorization": f"Bearer {other}"}
        assert (await one.post(body(), **headers)).status_code == 200
        await until(lambda: len(one.entries()) == len(statuses) + 1)
