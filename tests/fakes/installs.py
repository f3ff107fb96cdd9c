"""Installs what the tests' clients and tools are made of, once, from lock files.

What is installed is kept with the packages of the tests themselves.

Not here: what is then run (`nodeclient`, `programs`, the tests of `deploy`).
"""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

INSTALL_SECONDS_MAX = 300
_MANIFESTS = ("package.json", "package-lock.json")


@functools.cache
def node_packages(source: Path) -> Path:
    """The manifest that is installed, from a folder with a lock file of npm's."""
    manifests = [source / name for name in _MANIFESTS]

    def install(place: Path) -> None:
        for manifest in manifests:
            shutil.copy(manifest, place)
        _run(place, found("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")

    return _installed(f"node-{source.name}", manifests, install) / "package.json"


@functools.cache
def python_packages(lock: Path) -> Path:
    """The folder of Python packages that a lock file with hashes names."""

    def install(place: Path) -> None:
        # By a pip of its own: the environment of the tests may be without one.
        tools = place / "tools"
        venv.create(tools, with_pip=True, symlinks=True)
        pip = (tools / "bin" / "python", "-m", "pip", "install", "-q", "--no-compile")
        _run(place, *pip, "--require-hashes", "--target", place / "packages", "-r", lock)
        shutil.rmtree(tools)

    return _installed(f"python-{lock.parent.name}", [lock], install) / "packages"


def found(program: str) -> str:
    """Where a program is; skips the test, with the reason, where it is missing."""
    path = shutil.which(program)
    return path if path is not None else absent(f"{program} is missing")


def absent(why: str) -> Any:
    """Skip the test, but for where no test may be."""
    if os.environ.get("GATEWAY_TEST_ALL") == "1":
        pytest.fail(f"{why}, and GATEWAY_TEST_ALL=1 wants every test to run")
    pytest.skip(why)


def _installed(name: str, locks: list[Path], install: Callable[[Path], None]) -> Path:
    """Whole or not at all, and once: who comes meanwhile waits for whoever is at it."""
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    place = Path(sys.prefix) / f"{name}-{digest}"
    with place.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not place.exists():
            _install_into(place, name, install)
    return place


def _install_into(place: Path, name: str, install: Callable[[Path], None]) -> None:
    fresh = Path(tempfile.mkdtemp(dir=place.parent))
    try:
        install(fresh)
        fresh.rename(place)
    except subprocess.CalledProcessError as failed:
        absent(f"{name} could not be installed: {failed.stderr}")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run(place: Path, *command: str | Path) -> None:
    subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS_MAX
    )
