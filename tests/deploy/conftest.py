"""The programs that judge what is deployed, and what they said.

`.ci/run` brings them; elsewhere the tests that want one are skipped, with the reason.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.installs import found, python_packages

LOCK = Path(__file__).parent / "requirements.lock"
# Where the packages that hold them keep the programs themselves.
PACKAGED = {
    "docker-compose": "compose/docker-compose",  # the package's own command loses the exit code
    "envoy": "envoy/_bin/envoy",
    "hadolint": "bin/hadolint",
}
RUN_SECONDS_MAX = 60


def wants_all() -> bool:
    return os.environ.get("GATEWAY_TEST_ALL") == "1"


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the packages that the lock names: 130 MB to fetch."""
    if not wants_all():
        pytest.skip("`.ci/run` installs what judges the deployment (GATEWAY_TEST_ALL=1)")
    return python_packages(LOCK)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Where a program is, by its name."""

    def where(name: str) -> str:
        if shutil.which(name) is None and name in PACKAGED:
            return str(request.getfixturevalue("packages") / PACKAGED[name])
        return found(name)

    return where


def judged(*command: str | Path, env: dict[str, str] | None = None, holds: bool = True) -> str:
    """What a judge put out, or else complained of; its verdict must be this."""
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS_MAX,
    )
    assert (done.returncode == 0) == holds, f"{done.stdout}{done.stderr}"
    return done.stdout or done.stderr
