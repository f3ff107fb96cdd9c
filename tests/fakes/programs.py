"""Runs programs that use the API and know nothing of the gateway but its address and a key.

Not here: how they are installed (`installs`), or what they should see.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fakes.installs import found, node_packages, python_packages

SOURCE = Path(__file__).resolve().parent.parent / "clients"
RUN_SECONDS_MAX = 120
CODEX = "node_modules/@openai/codex/bin/codex.js"


async def ran_python(name: str, url: str, key: str) -> Any:
    """What `tests/clients/NAME.py` printed."""
    packages = await asyncio.to_thread(python_packages, SOURCE / "requirements.lock")
    # No package of the tests' own stands before those of the lock.
    command = (sys.executable, "-S", str(SOURCE / f"{name}.py"))
    env = {**_address(url, key), "PYTHONPATH": str(packages), "OPENAI_AGENTS_DISABLE_TRACING": "1"}
    return json.loads((await ran(command, env)).splitlines()[-1])


async def ran_node(name: str, url: str, key: str) -> Any:
    """What `tests/clients/NAME.mjs` printed."""
    manifest = await asyncio.to_thread(node_packages, SOURCE)
    command = (found("node"), str(SOURCE / f"{name}.mjs"), str(manifest))
    return json.loads((await ran(command, _address(url, key))).splitlines()[-1])


async def ran_codex(words: tuple[str, ...], *, folder: Path, env: Mapping[str, str]) -> list[Any]:
    """The events that `codex exec` tells of a task in a folder."""
    manifest = await asyncio.to_thread(node_packages, SOURCE)
    # No sandbox: where the tests run there may be none to have, and the task is our own.
    manner = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    command = (found("node"), str(manifest.parent / CODEX), "exec", *words[:-1], *manner, words[-1])
    return [json.loads(line) for line in (await ran(command, env, folder)).splitlines()]


async def ran(command: tuple[str, ...], env: Mapping[str, str], folder: Path | None = None) -> str:
    """What a program wrote to its standard output; it must end well, and in time."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS_MAX):
            said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


def _address(url: str, key: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
