"""The sockets that requests come in by, and what is said once they do."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from gateway.adapters.metric_files import Share
from gateway.app.server import NOTSENT_BYTES, Worker, address, listen, make_server
from gateway.config.settings import Settings
from tests.journeys.stage import settings_for, stage, until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def settings(folder: Path, **fields: Any) -> Settings:
    return settings_for(folder, "http://127.0.0.1:9/v1").model_copy(update=fields)


def test_slow_readers_keep_little_in_the_kernel(tmp_path: Path) -> None:
    (listener,) = listen(settings(tmp_path))
    with listener:
        kept = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert kept == NOTSENT_BYTES


@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})])
async def test_small_pieces_leave_at_once_on_either_loop(tmp_path: Path) -> None:
    (listener,) = listen(settings(tmp_path))
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        accepted.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(connected, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await accepted != 0
        writer.close()


def test_a_taken_address_is_said_at_once(tmp_path: Path) -> None:
    (listener,) = listen(settings(tmp_path))
    with listener, pytest.raises(OSError, match="in use"):
        listen(settings(tmp_path, port=listener.getsockname()[1]))


def test_the_admin_port_is_the_second(tmp_path: Path) -> None:
    both = listen(settings_for(tmp_path, "http://127.0.0.1:9/v1", admin={"port": free_port()}))
    assert len({address(one) for one in both}) == 2
    for one in both:
        one.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_reads_as_in_an_url(tmp_path: Path) -> None:
    try:
        (listener,) = listen(settings(tmp_path, host="::1"))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert address(listener).startswith("[::1]:")


async def test_what_is_served_is_said_once_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, admin={"port": free_port()}) as on:
        gateway, admin = capsys.readouterr().out.splitlines()
    assert gateway == f"gateway listening on {on.base_url}"
    assert admin.startswith("admin listening on http://127.0.0.1:")


async def test_a_worker_says_to_its_parent_alone_that_it_serves_and_ends_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    parent, life = os.pipe()
    worker = Worker(
        share=Share(folder=tmp_path, number=0),
        parent=parent,
        tell_ready=lambda: told.append("ready"),
    )
    chosen = settings(tmp_path, port=0)
    app = FastAPI()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(make_server(app, chosen, worker)._serve(listen(chosen)))
        await until(lambda: told == ["ready"])
        assert not serving.done()
        os.close(life)
    os.close(parent)
    assert capsys.readouterr().out == ""


def test_no_header_of_ours_names_the_server(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    config = make_server(lambda: None, chosen).config  # type: ignore[arg-type]  # never called
    assert (config.server_header, config.date_header, config.proxy_headers) == (False,) * 3
    assert (config.ws, config.lifespan) == ("none", "on")
