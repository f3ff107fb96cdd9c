"""Clients that speak HTTP as it is allowed but seldom done: half-closed, or offering an upgrade."""

from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import Caller, calling, request_head, whole_answer
from tests.journeys.stage import body, stage

H2C = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAoAAA")
SHAPES: list[dict[str, Any]] = [{"stream": True}, {"stream": False}]


@pytest.mark.parametrize("fields", SHAPES, ids=["stream", "whole"])
async def test_a_client_that_half_closes_gets_its_whole_answer(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    async with (
        stage(tmp_path) as on,
        calling(on.port, on.key, body("[sim: stall=300,0.3; output=200]", **fields)) as caller,
    ):
        caller.writer.write_eof()
        await caller.read()
        assert (caller.status, caller.ending) == (200, "whole")
        assert await caller.reader.read() == b""  # and then the gateway closes its side
        entries = await on.settled(1)
        assert_all_exact(entries, on.simulator.served)
        assert not entries[0].client_gone


@pytest.mark.parametrize("fields", SHAPES, ids=["stream", "whole"])
async def test_an_offered_upgrade_is_declined_and_its_request_served(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    text = "Every byte of me must arrive. " * 1000
    async with stage(tmp_path) as on:
        answer = await whole_answer(on.port, on.key, body(text, **fields), *H2C)
        assert (answer.status, answer.ending) == (200, "whole")
        assert text.encode() in on.simulator.requests[0].body
        assert on.simulator.requests[0].header("upgrade") == ""
        assert_all_exact(await on.settled(1), on.simulator.served)


async def test_a_half_close_before_the_request_is_whole_is_a_hang_up(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        caller = await Caller.connect(on.port)
        caller.writer.write(request_head(on.key, 1000) + b'{"model": "gpt-5-mini"')
        caller.writer.write_eof()
        await caller.read()
        assert (caller.head, caller.ending) == (b"", "cut")
        assert on.entries() == []
        assert not on.simulator.requests
        caller.writer.close()
