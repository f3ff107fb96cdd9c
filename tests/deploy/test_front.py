"""nginx and Envoy before the gateway, as `deploy/front` sets them up: real ones, on loopback.

That each event passes at once is shown by its arrival before the next one is sent, not by a clock.
Changed here is only where they listen, where the gateway is, and that there is no TLS.
"""

import asyncio
import functools
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.config.settings import Settings
from tests.deploy.conftest import judged
from tests.fakes.rawserver import Peer, RawServer, read_request, send
from tests.journeys.caller import calling
from tests.journeys.held import LAST, STREAM_HEAD, chunk, stage_before, stepwise
from tests.journeys.stage import Stage, body, until

FRONT = Path(__file__).resolve().parents[2] / "deploy" / "front"
NGINX = (FRONT / "nginx.conf").read_text()
ENVOY = (FRONT / "envoy.yaml").read_text()
STARTED_SECONDS_MAX = 20
DELTAS = [b'data: {"type":"response.output_text.delta","delta":"%d"}\n\n' % n for n in range(5)]
COMPLETED = (
    b'data: {"type":"response.completed","response":{"id":"resp_1","object":"response","status":'
    b'"completed","model":"gpt-5-mini","usage":{"input_tokens":7,"output_tokens":5,'
    b'"total_tokens":12}}}\n\n'
)
EVENTS = [*DELTAS, COMPLETED]
DRAINING = 'gateway_active_requests{kind="draining"} 1.0'
Program = Callable[[str], str]
Front = Callable[[Path, int, int], list[str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def put(text: str, **changes: str) -> str:
    """The text with each key, which must be there, replaced."""
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def nginx(program: str, folder: Path, port: int, gateway_port: int) -> list[str]:
    site = put(
        re.sub(r"\n *ssl_certificate.*", "", NGINX),
        **{"listen 443 ssl;": f"listen 127.0.0.1:{port};"},
        **{"127.0.0.1:8080;": f"127.0.0.1:{gateway_port};"},
    )
    paths = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1; "
        f"{'user root;' if Path(folder).owner() == 'root' else ''} events {{}} "
        f"http {{ access_log off; {paths} include {folder}/site.conf; }}"
    )
    command = [program, "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
    judged(*command, "-t")
    return command


def envoy(program: str, folder: Path, port: int, gateway_port: int) -> list[str]:
    config = put(
        ENVOY,
        **{"0.0.0.0, port_value: 8443": f"127.0.0.1, port_value: {port}"},
        **{"port_value: 8080": f"port_value: {gateway_port}"},
    )
    (folder / "envoy.yaml").write_text(config)
    command = [program, "-c", f"{folder}/envoy.yaml", "--disable-hot-restart"]
    command += ["--concurrency", "1", "-l", "error"]
    judged(*command, "--mode", "validate")
    return command


FRONTS = {"nginx": nginx, "envoy": envoy}


def is_open(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


@asynccontextmanager
async def standing(front: Front, folder: Path, on: Stage) -> AsyncIterator[int]:
    """Its port, when it takes connections."""
    port = free_port()
    words = await asyncio.to_thread(front, folder, port, on.port)
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            await until(lambda: is_open(port), seconds_max=STARTED_SECONDS_MAX)
            yield port
        finally:
            process.terminate()


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest, program: Program) -> Front:
    """The command that starts one: of its folder, its port and the gateway's."""
    return functools.partial(FRONTS[request.param], program(request.param))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


async def test_each_event_is_at_the_client_before_the_next_is_sent(
    front: Front, tmp_path: Path
) -> None:
    gates = [asyncio.Event() for _ in EVENTS]
    script = stepwise(STREAM_HEAD, [*map(chunk, EVENTS), LAST], gates)
    async with (
        RawServer(script) as upstream,
        stage_before(tmp_path, upstream) as on,
        standing(front, tmp_path, on) as port,
        calling(port, on.key, body()) as caller,
    ):
        sent = b""
        for one, gate in zip(EVENTS, gates, strict=True):
            sent += one
            await caller.read(len(sent))
            assert bytes(caller.body) == sent
            gate.set()
        await caller.read()
        assert (caller.status, caller.ending) == (200, "whole")
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.client_gone) == ("completed", False)


async def test_the_gateway_hears_of_a_client_that_left(front: Front, tmp_path: Path) -> None:
    is_heard = asyncio.Event()

    async def trickle(peer: Peer) -> None:  # who only closes is seen to be gone by what is written
        while not is_heard.is_set():
            await send(chunk(DELTAS[0]))(peer)
            await asyncio.sleep(0.01)

    script = [read_request, send(STREAM_HEAD), trickle, send(chunk(COMPLETED) + LAST)]
    async with (
        RawServer(script) as upstream,
        stage_before(tmp_path, upstream) as on,
        standing(front, tmp_path, on) as port,
    ):
        async with calling(port, on.key, body()) as caller:
            await caller.read(len(DELTAS[0]))
        async with on.client() as client:
            while DRAINING not in (await client.get(f"http://127.0.0.1:{on.port}/metrics")).text:
                await asyncio.sleep(0.01)
        is_heard.set()
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.client_gone) == ("completed", True)


async def test_what_is_no_api_does_not_pass_and_a_websocket_is_told_to_come_by_post(
    front: Front, tmp_path: Path
) -> None:
    async with (
        RawServer([read_request]) as upstream,
        stage_before(tmp_path, upstream) as on,
        standing(front, tmp_path, on) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        for path in ("/metrics", "/admin/v1/tenants", "/console", "/livez"):
            assert (await client.get(path)).status_code == 404
        offer = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        offer |= {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", **on.headers}
        told = await client.get("/v1/responses", headers=offer)
        assert told.status_code == 426
        assert not upstream.requests


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_no_front_gives_up_before_the_gateway_does_or_keeps_what_passes() -> None:
    settings = Settings()
    waits = max(settings.upstream.first_byte_seconds, settings.upstream.idle_seconds)
    manager = yaml.safe_load(ENVOY)["static_resources"]["listeners"][0]["filter_chains"][0][
        "filters"
    ][0]["typed_config"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    (cluster,) = yaml.safe_load(ENVOY)["static_resources"]["clusters"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    kept = options["common_http_protocol_options"]["idle_timeout"]
    assert seconds(route["route"]["timeout"]) == 0
    assert seconds(manager["stream_idle_timeout"]) > waits
    assert seconds(kept) < settings.limits.keep_alive_seconds
    assert seconds(nginx_value("proxy_read_timeout")) > waits
    assert seconds(nginx_value("keepalive_timeout")) < settings.limits.keep_alive_seconds
    # What it read ahead of a slow client it would keep on its disk; events pass at once anyway.
    assert nginx_value("proxy_buffering") == nginx_value("gzip") == "off"
    size = nginx_value("client_max_body_size")
    assert int(size.removesuffix("m")) * 1024 * 1024 == settings.limits.request_bytes_max


def nginx_value(name: str) -> str:
    found = re.findall(rf"^\s*{name} +(\S+);", NGINX, re.MULTILINE)
    assert len(found) == 1, name
    return str(found[0])
