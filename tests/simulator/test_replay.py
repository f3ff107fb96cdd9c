"""Bytes that a test brings itself."""

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call, respond

BODY = b"data: one\n\ndata: two\n\n"


async def test_the_next_request_gets_the_bytes_in_their_pieces(sim: Simulator) -> None:
    sim.replay(BODY, pieces=[3, 10])
    reply = await respond(sim.base_url, "")
    assert reply.pieces == [BODY[:3], BODY[3:13], BODY[13:]]
    assert reply.header("content-type").startswith("text/event-stream")
    assert sim.served == []
    assert b"response.created" in (await respond(sim.base_url, "")).body


async def test_status_type_and_headers(sim: Simulator) -> None:
    sim.replay(b"<h1>", content_type="text/html", status=502, headers=[("x-more", "1")])
    reply = await respond(sim.base_url, "")
    assert (reply.status, reply.header("content-type"), reply.body) == (502, "text/html", b"<h1>")
    assert reply.header("x-more") == "1"


async def test_by_name_as_often_as_wanted_and_with_faults(sim: Simulator) -> None:
    sim.replay(BODY, name="mine")
    assert (await respond(sim.base_url, "replay=mine")).body == BODY
    reply = await respond(sim.base_url, "replay=mine; cut=4")
    assert (reply.body, reply.ending) == (BODY[:4], "eof")


async def test_for_another_path(sim: Simulator) -> None:
    sim.replay(b"{}", content_type="application/json", status=500, method="GET")
    assert (await respond(sim.base_url, "")).status == 200
    assert (await call(sim.base_url, "GET", "/v1/responses/resp_1")).status == 500
    assert (await call(sim.base_url, "GET", "/v1/responses/resp_1")).status == 404
