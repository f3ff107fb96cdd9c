"""The server: uvicorn with our protocol, our sockets and an end that waits for what is owed."""

import asyncio
import gc
import math
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from gateway.adapters.metric_files import Share
from gateway.app.factory import create_app
from gateway.app.protocol import IngressLimits, protocol_with
from gateway.config.settings import Settings

BACKLOG = 4096
GARBAGE_OBJECTS = 20_000  # made since the last search for garbage
# Without it the kernel takes megabytes for every client that reads slowly.
NOTSENT_BYTES = 65_536
# For a client that stops reading when all is written: no timer of the protocol runs any more.
UNACKNOWLEDGED_MS_MAX = 120_000
# Of `listen`'s sockets, in their order.
LISTENING = ("gateway listening on http://{}/v1", "admin listening on http://{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """This process as one of several on the same sockets, as whoever started it told it.

    `parent` is a descriptor that can be read once that process is gone: then this one ends too.
    """

    share: Share
    parent: int
    tell_ready: Callable[[], None]


class GatewayServer(uvicorn.Server):
    """Says that requests are taken: to everybody where it listens, or to who started it."""

    def __init__(self, config: uvicorn.Config, worker: Worker | None = None) -> None:
        super().__init__(config)
        self._worker = worker

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _spare_collections()
        if self._worker is None:
            announce(sockets or [])
        else:
            asyncio.get_running_loop().add_reader(self._worker.parent, self._end_orphaned)
            self._worker.tell_ready()

    def _end_orphaned(self) -> None:
        assert self._worker is not None
        asyncio.get_running_loop().remove_reader(self._worker.parent)
        self.should_exit = True


def serve(
    settings: Settings, listeners: list[socket.socket], *, worker: Worker | None = None
) -> None:
    """Run on these sockets until SIGTERM or SIGINT."""
    app = create_app(settings, share=None if worker is None else worker.share)
    # uvicorn raises SIGTERM again when it has stopped; ours is not to die of it.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    server = make_server(app, settings, worker)
    server.run(sockets=listeners)
    if not server.started:
        sys.exit(1)


def _spare_collections() -> None:
    """What is there at the start stays for good: no search for garbage needs to look at it again.

    Little of a request is in cycles, so what else there is can wait longer, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def announce(listeners: list[socket.socket]) -> None:
    """Say where requests are taken."""
    for listener, words in zip(listeners, LISTENING, strict=False):
        print(words.format(address(listener)), flush=True)  # noqa: T201 - scripts wait for it


def make_server(app: FastAPI, settings: Settings, worker: Worker | None = None) -> GatewayServer:
    """The server for an application; run it on `listen`'s sockets."""
    limits = IngressLimits(
        connections_max=settings.limits.connections_max,
        header_bytes_max=settings.limits.header_bytes_max,
        head_seconds_max=settings.limits.head_seconds_max,
        body_stall_seconds_max=settings.limits.body_stall_seconds_max,
        write_stall_seconds_max=settings.limits.write_stall_seconds_max,
    )
    return GatewayServer(
        uvicorn.Config(
            app,
            http=protocol_with(limits),
            ws="none",
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=math.ceil(settings.limits.keep_alive_seconds),
            timeout_graceful_shutdown=math.ceil(settings.shutdown.seconds_max),
        ),
        worker,
    )


def listen(settings: Settings) -> list[socket.socket]:
    """The data port's socket and, where the operator asked for one, the admin port's.

    Several processes share them: whoever is free accepts, which spreads connections more evenly
    than the kernel's hash over a socket each (SO_REUSEPORT), and none waits for one that died.
    Raises OSError when an address is taken.
    """
    ports = [settings.port]
    if settings.admin.port is not None:
        ports.append(settings.admin.port)
    return [_listener(settings.host, port) for port in ports]


def address(listener: socket.socket) -> str:
    """Host and port as an URL has them."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio sends small pieces at once only on sockets known to be TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS_MAX)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as taken:
        listener.close()
        raise OSError(taken.errno, taken.strerror, f"{host}:{port}") from None
    return listener
