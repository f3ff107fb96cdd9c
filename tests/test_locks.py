"""The pinned packages: the locks hold what pyproject.toml asks for, each with its hashes.

How a lock is made is the Makefile's business; whether it installs is the bootstrap script's.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = (ROOT / "requirements.lock").read_text()
CHECKS = (ROOT / "tests" / "requirements.lock").read_text()
CLIENTS = (ROOT / "tests" / "clients" / "requirements.lock").read_text()
DEPLOY = (ROOT / "tests" / "deploy" / "requirements.lock").read_text()
EXTRAS = PROJECT["project"]["optional-dependencies"]
WANTED = [*PROJECT["project"]["dependencies"], *EXTRAS["demo"], *EXTRAS["otel"], *EXTRAS["redis"]]
HASHES = r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
PIN = re.compile(rf"^([\w.-]+)==(\S+)[^\n]*\\\n{HASHES}", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(lock)}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (RUNTIME, WANTED),
        (CHECKS, WANTED + PROJECT["dependency-groups"]["test"]),
        (CLIENTS, PROJECT["dependency-groups"]["clients"]),
        (DEPLOY, PROJECT["dependency-groups"]["deploy"]),
    ],
    ids=["runtime", "checks", "clients", "deploy"],
)
def test_a_lock_satisfies_the_project(lock: str, wanted: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name), "")
        assert version, f"{requirement.name} is not pinned: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} has {version}"


def test_the_checks_run_on_the_very_packages_that_are_shipped() -> None:
    assert pins(RUNTIME).items() <= pins(CHECKS).items()


@pytest.mark.parametrize(
    "lock",
    [RUNTIME, CHECKS, CLIENTS, DEPLOY],
    ids=["runtime", "checks", "clients", "deploy"],
)
def test_a_lock_is_nothing_but_pins_with_hashes(lock: str) -> None:
    rest = PIN.sub("", lock).splitlines()
    assert [line for line in rest if not line.startswith("#")] == []
    assert "://" not in lock
