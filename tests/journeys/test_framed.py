"""The same message however it is framed, on either side: exact, metered once, in order."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.adapters.reports import EntryRow
from tests.fakes.rawserver import RawServer, read_request, send
from tests.journeys.caller import Caller, request_head, whole_answer
from tests.journeys.cuts import header
from tests.journeys.held import LAST, STREAM_HEAD, chunk, stage_before
from tests.journeys.stage import Stage, body
from tests.journeys.test_streamed import COMPLETED, CREATED, STREAM

OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
CLOSED = b"connection: close\r\n\r\n"
GZIPPED = gzip.compress(STREAM)
ASKED = json.dumps(body()).encode()


def counted(data: bytes) -> bytes:
    return b"content-length: %d\r\n\r\n%b" % (len(data), data)


def encoded(coding: bytes, data: bytes) -> bytes:
    return OK + EVENTS + b"content-encoding: %b\r\n" % coding + counted(data)


async def answered(folder: Path, answer: bytes) -> tuple[Caller, EntryRow]:
    """What the client gets of an upstream's bytes, and the entry of it."""
    async with (
        RawServer([read_request, send(answer)]) as upstream,
        stage_before(folder, upstream) as on,
    ):
        told = await whole_answer(on.port, on.key, body())
        (entry,) = await on.settled(1)
    return told, entry


READ = {
    "counted": (OK + EVENTS + counted(STREAM), STREAM),
    "until closed": (OK + EVENTS + CLOSED + STREAM, STREAM),
    "in chunks, with extension and trailer": (
        STREAM_HEAD + b"%x;a=b\r\n%b\r\n" % (len(STREAM), STREAM) + b"0\r\nx-cost: 1\r\n\r\n",
        STREAM,
    ),
    "in capitals": (
        OK + b"Content-Type: Text/Event-Stream; Charset=UTF-8\r\n" + counted(STREAM),
        STREAM,
    ),
    "after interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + STREAM_HEAD
        + chunk(STREAM)
        + LAST,
        STREAM,
    ),
    "before bytes of nobody": (OK + EVENTS + counted(STREAM) + b"HTTP/1.1 200 OK\r\n", STREAM),
    "gzip": (encoded(b"gzip", GZIPPED), GZIPPED),
    "deflate": (encoded(b"deflate", zlib.compress(STREAM)), zlib.compress(STREAM)),
    "twice ended": (OK + EVENTS + counted(STREAM + COMPLETED), STREAM + COMPLETED),
    "without its last blank line": (OK + EVENTS + counted(STREAM[:-1]), STREAM[:-1]),
}
NOT_READ = {
    "no content type": (OK + counted(STREAM), STREAM, "content_type_unknown"),
    "no body": (STREAM_HEAD + LAST, b"", None),
    "no end": (OK + EVENTS + counted(CREATED), CREATED, None),
    "no json": (
        OK + b"content-type: application/json\r\n" + counted(b"{"),
        b"{",
        "body_unreadable",
    ),
    "empty json": (
        OK + b"content-type: application/json\r\n" + counted(b""),
        b"",
        "body_unreadable",
    ),
}


@pytest.mark.parametrize(("answer", "content"), READ.values(), ids=READ)
async def test_an_answer_in_any_framing_is_read(
    tmp_path: Path, answer: bytes, content: bytes
) -> None:
    told, entry = await answered(tmp_path, answer)
    assert (told.status, told.ending) == (200, "whole")
    assert bytes(told.body) == content
    assert (entry.outcome, entry.basis, entry.output_tokens) == ("completed", "reported", 5)


@pytest.mark.parametrize(("answer", "content", "problem"), NOT_READ.values(), ids=NOT_READ)
async def test_what_cannot_be_read_passes_and_stays_at_its_hold(
    tmp_path: Path, answer: bytes, content: bytes, problem: str | None
) -> None:
    told, entry = await answered(tmp_path, answer)
    assert (told.status, told.ending, bytes(told.body)) == (200, "whole", content)
    assert (entry.outcome, entry.basis, entry.problem) == ("aborted", "worst_case", problem)
    assert entry.cost_pusd == entry.hold_pusd > 0


ERROR = b'{"error": {"message": "No.", "type": "server_error", "param": null, "code": null}}'
JSON = b"content-type: application/json\r\n"
HTML = b"content-type: text/html\r\n"
ERRORS = {
    "of the API": (b"502 Bad Gateway", JSON, ERROR, "none"),
    "of a proxy": (b"502 Bad Gateway", HTML, b"<html>", "worst_case"),
    "that claims to be more": (b"429 Too Many Requests", EVENTS, STREAM, "none"),
}


@pytest.mark.parametrize(("status", "kind", "data", "basis"), ERRORS.values(), ids=ERRORS)
async def test_an_error_of_the_api_costs_nothing_and_one_of_a_proxy_says_nothing(
    tmp_path: Path, status: bytes, kind: bytes, data: bytes, basis: str
) -> None:
    told, entry = await answered(tmp_path, b"HTTP/1.1 %b\r\n%b" % (status, kind) + counted(data))
    assert (told.status, bytes(told.body)) == (int(status[:3]), data)
    assert (entry.outcome, entry.basis) == ("failed", basis)
    assert entry.cost_pusd == (0 if basis == "none" else entry.hold_pusd)


async def test_an_answer_of_two_lengths_is_none(tmp_path: Path) -> None:
    two = b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
    told, entry = await answered(tmp_path, OK + EVENTS + two + chunk(STREAM) + LAST)
    assert (told.status, told.json["error"]["code"]) == (502, "upstream_malformed")
    assert (entry.outcome, entry.basis) == ("aborted", "worst_case")


@asynccontextmanager
async def connection(on: Stage) -> AsyncIterator[Caller]:
    caller = await Caller.connect(on.port)
    try:
        yield caller
    finally:
        caller.writer.transport.abort()


async def test_requests_in_a_row_are_answered_in_their_order(shared_stage: Stage) -> None:
    on = shared_stage
    before = len(on.entries())
    ids = []
    async with connection(on) as caller:
        caller.writer.write((request_head(on.key, len(ASKED)) + ASKED) * 3)
        for _ in range(3):
            caller.head, caller.ending, caller.body_bytes = b"", "", 0
            await caller.read()
            assert (caller.status, caller.ending) == (200, "whole")
            ids.append(header(caller, "x-gateway-request-id"))
    assert [entry.request_id for entry in (await on.settled(before + 3))[before:]] == ids


async def test_a_chunked_request_arrives_as_a_counted_one(shared_stage: Stage) -> None:
    on = shared_stage
    head = request_head(on.key, 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    async with connection(on) as caller:
        caller.writer.write(head + chunk(ASKED[:5]) + chunk(ASKED[5:]) + b"0\r\nx-t: 1\r\n\r\n")
        await caller.read()
    received = on.simulator.requests[-1]
    assert (caller.status, received.body) == (200, ASKED)
    assert received.header("content-length") == str(len(ASKED))
    assert not received.header("transfer-encoding")


async def test_who_waits_to_be_asked_for_its_body_is_asked(shared_stage: Stage) -> None:
    on = shared_stage
    async with connection(on) as caller:
        caller.writer.write(request_head(on.key, len(ASKED), "expect: 100-continue"))
        interim = await caller.reader.readuntil(b"\r\n\r\n")
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.writer.write(ASKED)
        await caller.read()
    assert caller.status == 200
    assert not on.simulator.requests[-1].header("expect")
