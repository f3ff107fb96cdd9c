"""The server: uvicorn with our protocol, our sockets and an end that waits for what is owed."""

import math
import signal
import socket
import sys

import uvicorn
from fastapi import FastAPI

from gateway.app.factory import create_app
from gateway.app.protocol import IngressLimits, protocol_with
from gateway.config.settings import Settings

BACKLOG = 4096
# Without it the kernel takes megabytes for every client that reads slowly.
NOTSENT_BYTES = 65_536
# For a client that stops reading when all is written: no timer of the protocol runs any more.
UNACKNOWLEDGED_MS_MAX = 120_000
# Of `listen`'s sockets, in their order.
LISTENING = ("gateway listening on http://{}/v1", "admin listening on http://{}")


class GatewayServer(uvicorn.Server):
    """Says where it listens once requests are taken."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener, words in zip(sockets or [], LISTENING, strict=False):
            print(words.format(address(listener)), flush=True)  # noqa: T201 - scripts wait for it


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises OSError when the address is taken."""
    listeners = listen(settings)
    # uvicorn raises SIGTERM again when it has stopped; ours is not to die of it.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    server = make_server(create_app(settings), settings)
    server.run(sockets=listeners)
    if not server.started:
        sys.exit(1)


def make_server(app: FastAPI, settings: Settings) -> GatewayServer:
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
        )
    )


def listen(settings: Settings) -> list[socket.socket]:
    """The data port's socket and, where the operator asked for one, the admin port's."""
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
