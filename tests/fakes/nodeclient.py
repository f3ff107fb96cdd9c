"""Runs the official SDK for Node.js, installed once from the lock file in `tests/node`.

Not here: what it is asked, or should see.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.fakes.installs import found, node_packages

SOURCE = Path(__file__).resolve().parent.parent / "node"
RUN_SECONDS_MAX = 60


async def ran(tasks: list[dict[str, Any]]) -> list[Any]:
    """What Node.js saw of each task; skips the test, with the reason, where it cannot run."""
    manifest = await asyncio.to_thread(node_packages, SOURCE)
    process = await asyncio.create_subprocess_exec(
        found("node"),
        str(SOURCE / "client.mjs"),
        str(manifest),
        env=_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_SECONDS_MAX):
        said, _ = await process.communicate(json.dumps(tasks).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


def _environment() -> dict[str, str]:
    """Without what would send it elsewhere: loopback needs no proxy, and the URL is given."""
    drop = ("OPENAI_", "HTTP_", "HTTPS_", "ALL_", "NODE_")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(drop)}
