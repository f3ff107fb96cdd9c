"""The demo's stage: a simulator and a gateway as real processes, on a database of their own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.exits import CommandStopped

PORT = 8080
STOP_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where things are: base URLs with `/v1`, and the gateway's database."""

    gateway_url: str
    simulator_url: str
    database_url: str


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    """Both processes, started and, at the end, stopped."""
    database_url = f"sqlite:///{folder / 'gateway.db'}"
    config = folder / "gateway.toml"
    config.touch()  # else that of the folder where somebody stands would be read
    with ExitStack() as processes:
        simulator = processes.enter_context(_process("gateway.simulator", "--port", "0"))
        environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")
            },
            "GATEWAY_CONFIG": str(config),
            "GATEWAY_DATABASE_URL": database_url,
            "GATEWAY_STATE_DIR": str(folder),
            "GATEWAY_UPSTREAM_BASE_URL": simulator,
            "GATEWAY_UPSTREAM_API_KEY": "sk-simulated",
            "GATEWAY_LOG_LEVEL": "warning",
        }
        gateway = processes.enter_context(_gateway(environment))
        yield Stage(gateway_url=gateway, simulator_url=simulator, database_url=database_url)


@contextmanager
def _gateway(environment: dict[str, str]) -> Iterator[str]:
    with ExitStack() as started:
        try:
            address = started.enter_context(_serve(_port(), environment))
        except CommandStopped:  # the port was free, and somebody was quicker
            address = started.enter_context(_serve(0, environment))
        yield address


def _serve(port: int, environment: dict[str, str]) -> AbstractContextManager[str]:
    return _process("gateway", "serve", "--port", str(port), environment=environment)


@contextmanager
def _process(
    module: str, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """Run a module of ours; yields the address that it says it listens on."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "listening on" not in line:
                raise CommandStopped(f"{module} did not start: see above")
            yield line.split()[-1]
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def _port() -> int:
    """The usual port when it is free, so that the printed address can be copied; else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return 0
    return PORT
