"""Runs the official SDK for Node.js, installed once from the lock file in `tests/node`.

Not here: what it is asked, or should see.
"""

import asyncio
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "node"
MANIFESTS = ("package.json", "package-lock.json")
RUN_SECONDS_MAX = 60
INSTALL_SECONDS_MAX = 300


async def ran(tasks: list[dict[str, Any]]) -> list[Any]:
    """What Node.js saw of each task; skips the test, with the reason, where it cannot run."""
    manifest = await asyncio.to_thread(installed) / "package.json"
    process = await asyncio.create_subprocess_exec(
        _found("node"),
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


@functools.cache
def installed() -> Path:
    """The folder with `node_modules`, kept beside Python's packages for the next run."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in MANIFESTS))
    place = Path(sys.prefix) / f"node-client-{digest.hexdigest()[:16]}"
    if not place.exists():
        _install(place)
    return place


def _install(place: Path) -> None:
    """Whole or not at all: two runs at once may both install, and one of them is kept."""
    npm, fresh = _found("npm"), Path(tempfile.mkdtemp(dir=place.parent))
    for name in MANIFESTS:
        shutil.copy(SOURCE / name, fresh)
    done = subprocess.run(
        (npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        cwd=fresh, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS_MAX,
    )  # fmt: skip
    if done.returncode == 0 and not place.exists():
        fresh.rename(place)
    else:
        shutil.rmtree(fresh)
    if done.returncode:
        _absent(f"npm could not install the client: {done.stderr}")


def _found(program: str) -> str:
    path = shutil.which(program)
    return path if path is not None else _absent(f"{program} is missing")


def _absent(why: str) -> Any:
    if os.environ.get("GATEWAY_TEST_ALL") == "1":
        pytest.fail(f"{why}, and GATEWAY_TEST_ALL=1 wants every test to run")
    pytest.skip(why)


def _environment() -> dict[str, str]:
    """Without what would send it elsewhere: loopback needs no proxy, and the URL is given."""
    drop = ("OPENAI_", "HTTP_", "HTTPS_", "ALL_", "NODE_")
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(drop)}
