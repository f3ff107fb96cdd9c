"""Upstreams that break: no client takes a broken answer for a whole one, none is unposted."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.reports import EntryRow
from tests.fakes.rawserver import (
    RawServer,
    Script,
    close,
    half_close,
    hang,
    read_request,
    reset,
    send,
)
from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, whole_answer
from tests.journeys.held import SOON
from tests.journeys.stage import Stage, body, stage, until

QUICK = {"idle_seconds": 0.3, "first_byte_seconds": 0.3, "connect_seconds": 0.3}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
EVENT = b'10\r\ndata: {"x": 123}\r\n'


def assert_worst_case(entry: EntryRow, reason: str) -> None:
    assert (entry.outcome, entry.basis, entry.reason) == ("aborted", "worst_case", reason)
    assert entry.cost_pusd == entry.hold_pusd > 0
    assert not entry.client_gone


def assert_refusal(answer: Caller, status: int, code: str) -> None:
    """The API's own error shape, whole."""
    assert (answer.status, answer.ending) == (status, "whole")
    assert answer.json["error"]["code"] == code
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A directive that breaks an answer, and the reason that the entry must tell."""

    directive: str
    reason: str
    is_stream: bool = True


BREAKS = [
    Break(directive="reset=0", reason="upstream_reset"),
    Break(directive="reset=2000", reason="upstream_reset"),
    Break(directive="reset=terminal", reason="upstream_reset"),
    Break(directive="reset=terminal+200", reason="upstream_reset"),
    Break(directive="cut=0", reason="upstream_incomplete"),
    Break(directive="cut=2000", reason="upstream_incomplete"),
    Break(directive="cut=terminal+200", reason="upstream_incomplete"),
    Break(directive="stall=2000,600", reason="upstream_silent_after_start"),
    Break(directive="stall=terminal+10,600", reason="upstream_idle_timeout"),
    Break(directive="reset=500", reason="upstream_reset", is_stream=False),
    Break(directive="cut=500", reason="upstream_incomplete", is_stream=False),
    Break(directive="cut=500; chunked", reason="upstream_incomplete", is_stream=False),
    Break(directive="stall=500,600", reason="upstream_idle_timeout", is_stream=False),
]


async def test_what_breaks_off_is_cut_off_and_posted_at_the_hold(tmp_path: Path) -> None:
    async with stage(tmp_path, upstream=QUICK, shutdown=SOON) as on:
        for count, each in enumerate(BREAKS, start=1):
            asked = body(f"[sim: {each.directive}]", stream=each.is_stream, store=False)
            answer = await whole_answer(on.port, on.key, asked)
            assert (answer.status, answer.ending) == (200, "cut"), each
            assert b"\n\ndata: [DONE]" not in answer.body
            entry = (await on.settled(count))[-1]
            assert_worst_case(entry, each.reason)
        assert len(on.simulator.served) == len(BREAKS)


async def test_a_break_after_the_terminal_event_costs_no_exactness(tmp_path: Path) -> None:
    """What completes the response is there, and so is its cost; only the body's end is missing."""
    async with stage(tmp_path, upstream=QUICK, shutdown=SOON) as on:
        sizes = await whole_answer(on.port, on.key, asked := steady(""))
        assert (asked, sizes.ending) == (steady(""), "whole")
        for fault in ("reset", "cut", "stall"):
            answer = await whole_answer(on.port, on.key, steady(f"{fault}={sizes.body_bytes}"))
            assert (answer.ending, answer.body_bytes) == ("cut", sizes.body_bytes)
            assert answer.body.endswith(b"\n\n")
        assert_all_exact(await on.settled(4), on.simulator.served)


def steady(directive: str) -> dict[str, Any]:
    """A stream whose length does not depend on chance."""
    return body(f"Hello [sim: {directive}]", stream_options={"include_obfuscation": False})


async def test_a_stream_without_a_terminal_event_is_aborted_though_it_ends_well(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        answer = await whole_answer(on.port, on.key, body("[sim: no_terminal]", store=False))
        assert answer.ending == "whole"  # as the upstream ended it
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")


async def test_garbage_between_events_passes_and_costs_no_exactness(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        answer = await whole_answer(on.port, on.key, body("[sim: garbage]"))
        assert answer.ending == "whole"
        assert b"\xff\xfe\x00 no field here" in answer.body
        assert_all_exact(await on.settled(1), on.simulator.served)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rude:
    """What an upstream does that is no HTTP answer; `code` is what client and entry are told."""

    script: Script
    status: int
    code: str


BEFORE_THE_HEAD = {
    "closed": Rude(script=[read_request, close], status=502, code="upstream_reset"),
    "reset": Rude(script=[read_request, reset], status=502, code="upstream_reset"),
    "half_closed": Rude(script=[read_request, half_close, hang], status=502, code="upstream_reset"),
    "half_a_head": Rude(
        script=[read_request, send(STREAM_HEAD), close], status=502, code="upstream_reset"
    ),
    "no_http": Rude(
        script=[read_request, send(b"SSH-2.0-OpenSSH\r\n\r\n"), hang],
        status=502,
        code="upstream_malformed",
    ),
    "silent": Rude(script=[read_request, hang], status=504, code="upstream_first_byte_timeout"),
    "two_lengths": Rude(
        script=[
            read_request,
            send(STREAM_HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
            hang,
        ],
        status=502,
        code="upstream_malformed",
    ),
}


@pytest.mark.parametrize("name", BEFORE_THE_HEAD)
async def test_sent_and_not_answered_is_told_and_posted_at_the_hold(
    tmp_path: Path, name: str
) -> None:
    rude = BEFORE_THE_HEAD[name]
    async with (
        RawServer(rude.script) as upstream,
        stage(tmp_path, upstream={**QUICK, "base_url": upstream.url}, shutdown=SOON) as on,
    ):
        answer = await whole_answer(on.port, on.key, body())
        assert_refusal(answer, rude.status, rude.code)
        (entry,) = await on.settled(1)
        assert_worst_case(entry, rude.code)
        assert len(upstream.requests) == 1  # what was sent is never sent twice


IN_THE_BODY = {
    "short_length": [send(JSON_HEAD + b"content-length: 900\r\n\r\n{}"), close],
    "short_length_reset": [send(JSON_HEAD + b"content-length: 900\r\n\r\n{}"), reset],
    "no_last_chunk": [send(STREAM_HEAD + CHUNKED + EVENT), close],
    "half_a_chunk": [send(STREAM_HEAD + CHUNKED + EVENT + b"ff\r\ndata"), half_close, hang],
    "no_chunk": [send(STREAM_HEAD + CHUNKED + EVENT + b"what is this?\r\n"), hang],
    "silence": [send(STREAM_HEAD + CHUNKED + EVENT), hang],
    "no_body_at_all": [send(STREAM_HEAD + CHUNKED), close],
    "reset_without_length": [send(STREAM_HEAD + b"\r\ndata: {}\n\n"), reset],
}


@pytest.mark.parametrize("name", IN_THE_BODY)
async def test_a_body_that_is_not_whole_never_looks_whole(tmp_path: Path, name: str) -> None:
    async with (
        RawServer([read_request, *IN_THE_BODY[name]]) as upstream,
        stage(tmp_path, upstream={**QUICK, "base_url": upstream.url}, shutdown=SOON) as on,
    ):
        answer = await whole_answer(on.port, on.key, body())
        assert (answer.status, answer.ending) == (200, "cut")
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
        assert str(entry.reason).startswith("upstream_")


async def test_an_upstream_that_cannot_be_reached_costs_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with stage(tmp_path, upstream={**QUICK, "base_url": url}) as on:
            answer = await whole_answer(on.port, on.key, body())
            assert_refusal(answer, 502, "upstream_connect_failed")
            (entry,) = await on.settled(1)
            assert_nothing_owed(entry, "upstream_connect_failed")


def assert_nothing_owed(entry: EntryRow, reason: str) -> None:
    assert (entry.outcome, entry.basis, entry.cost_pusd) == ("failed", "none", 0)
    assert entry.reason == reason
    assert entry.http_status is None


async def test_a_connection_that_is_never_granted_costs_nothing(tmp_path: Path) -> None:
    limits = {"connections_max": 1, "pool_seconds": 0.2}
    async with stage(tmp_path, upstream=limits) as on, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ask(on, "stall=0,2"))
        await until(lambda: on.simulator.open_count == 1)
        answer = await ask(on, "")
        assert_refusal(answer, 504, "upstream_pool_timeout")
        (entry,) = await on.settled(1)
        assert_nothing_owed(entry, "upstream_pool_timeout")
        assert (await first).ending == "whole"
        await on.settled(2)


async def ask(on: Stage, directive: str) -> Caller:
    return await whole_answer(on.port, on.key, body(f"[sim: {directive}]"))


async def test_an_error_that_the_upstream_answers_is_passed_and_costs_nothing(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        for count, status in enumerate((400, 429, 500, 503), start=1):
            answer = await ask(on, f"status={status}")
            assert (answer.status, answer.ending) == (status, "whole")
            entry = (await on.settled(count))[-1]
            assert (entry.outcome, entry.basis, entry.cost_pusd) == ("failed", "none", 0)
            assert (entry.http_status, entry.reason is None) == (status, False)
