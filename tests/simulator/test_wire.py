"""Breaks and pace, seen from a raw socket."""

import asyncio
import json
import time
import zlib
from urllib.parse import urlsplit

import pytest

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import respond


async def test_a_stream_ends_with_its_final_chunk(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "output=3")
    assert reply.ending == "final_chunk"
    assert len(reply.pieces) == reply.body.count(b"\n\n")
    (served,) = sim.served
    assert (served.is_complete, served.body_bytes) == (True, len(reply.body))


@pytest.mark.parametrize(("fault", "ending"), [("cut", "eof"), ("reset", "reset")])
@pytest.mark.parametrize("split", ["", "; split=1", "; split=random:5", "; split=join"])
async def test_the_connection_breaks_at_the_byte(
    sim: Simulator, fault: str, ending: str, split: str
) -> None:
    reply = await respond(sim.base_url, f"{fault}=777{split}")
    assert (len(reply.body), reply.ending) == (777, ending)
    assert not sim.served[0].is_complete
    assert sim.served[0].body_bytes == 777


async def test_it_breaks_before_the_first_byte(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "cut=0")
    assert (reply.status, reply.body, reply.ending) == (200, b"", "eof")


@pytest.mark.parametrize(("offset", "is_complete"), [("", False), ("+40", False), ("+9999", True)])
async def test_it_breaks_in_the_terminal_event(
    sim: Simulator, offset: str, *, is_complete: bool
) -> None:
    reply = await respond(sim.base_url, f"cut=terminal{offset}")
    after = reply.body.partition(b"event: response.completed")[2]
    assert bool(after) == bool(offset)
    assert sim.served[0].is_complete == is_complete


async def test_a_whole_body_breaks_too(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "cut=100", stream=False)
    assert (len(reply.body), reply.ending) == (100, "eof")
    reply = await respond(sim.base_url, "cut=100; chunked", stream=False)
    assert (len(reply.body), reply.ending) == (100, "eof")


async def test_a_stall_goes_on_afterwards(sim: Simulator) -> None:
    start = time.monotonic()
    reply = await respond(sim.base_url, "stall=100,0.05")
    assert time.monotonic() - start >= 0.05
    assert reply.ending == "final_chunk"


async def test_slow_events_and_a_late_head(sim: Simulator) -> None:
    start = time.monotonic()
    reply = await respond(sim.base_url, "slow=2; delay=30; output=10")
    assert time.monotonic() - start >= 0.03 + 10 * 0.002
    assert reply.ending == "final_chunk"


async def test_pieces_are_chunks(sim: Simulator) -> None:
    assert {len(p) for p in (await respond(sim.base_url, "split=1; output=1")).pieces} == {1}
    assert len((await respond(sim.base_url, "split=join")).pieces) == 1


async def test_early_hints_come_first(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "early_hints")
    assert reply.interim.startswith(b"HTTP/1.1 103")
    assert reply.status == 200


async def test_the_end_of_the_connection_can_be_the_end(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "close_delimited")
    assert reply.ending == "eof"
    assert reply.header("connection") == "close"
    assert reply.body.endswith(b"}\n\n")
    assert sim.served[0].is_complete


async def test_gzip_though_nobody_asked(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "gzip")
    assert reply.header("content-encoding") == "gzip"
    assert zlib.decompress(reply.body, wbits=31).endswith(b"}\n\n")
    assert sim.served[0].is_complete


async def test_a_huge_event_arrives(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "huge=2; huge_where=terminal")
    assert len(reply.body) > 2 * 1024 * 1024
    whole = await respond(sim.base_url, "huge=2; huge_where=terminal", stream=False)
    assert len(whole.json["output"][0]["result"]) == 2 * 1024 * 1024
    assert all(served.is_complete for served in sim.served)


async def test_it_hangs_up_before_and_amid_the_head(sim: Simulator) -> None:
    for place, is_begun in {"unanswered": False, "head": True}.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(sim.url).port)
        content = json.dumps({"model": "gpt-5.6", "input": f"[sim: hang_up={place}]"}).encode()
        writer.write(b"POST /v1/responses HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(content))
        writer.write(content)
        told = await reader.read()
        assert bool(told) == is_begun
        assert b"\r\n\r\n" not in told
        writer.close()


async def test_a_slow_head_is_whole(sim: Simulator) -> None:
    reply = await respond(sim.base_url, "slow_head=1")
    assert (reply.status, reply.ending) == (200, "final_chunk")


async def test_trailers_are_announced_and_sent(sim: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(sim.url).port)
    content = json.dumps({"model": "gpt-5.6", "input": "[sim: trailers; chunked]"}).encode()
    writer.write(b"POST /v1/responses HTTP/1.1\r\nconnection: close\r\n")
    writer.write(b"content-length: %d\r\n\r\n" % len(content) + content)
    told = await reader.read()
    assert b"\r\ntrailer: x-simulated-digest\r\n" in told
    assert told.endswith(b"\r\n0\r\nx-simulated-digest: done\r\n\r\n")
    writer.close()
