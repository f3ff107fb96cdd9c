"""`python -m gateway.simulator`: runs the simulator until SIGINT or SIGTERM. Arguments only."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from gateway.simulator.server import Simulator


async def run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    simulator = Simulator(
        host=options.host, port=options.port, api_key=options.api_key, log_path=options.log
    )
    async with simulator:
        sys.stdout.write(f"simulator listening on {simulator.base_url}\n")
        sys.stdout.flush()
        await stopped.wait()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", help="refuse requests with any other key")
    parser.add_argument("--log", type=Path, help="append a JSON line for each response generated")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parse(arguments)))


if __name__ == "__main__":
    main()
