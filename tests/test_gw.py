"""The bootstrap script: what it sets up, when it sets up nothing, and what it says when it cannot.

Each test lays out a checkout of its own, whose one locked package lies beside it: nothing is
downloaded. Most of them find a `uv` that claims to have installed it, to spare pip's seconds.
"""

import ast
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

GW = Path(__file__).resolve().parent.parent / "gw"
WHEEL = "locked-1.0-py3-none-any.whl"
PROGRAM = "import os, sys; print('gateway', *sys.argv[1:], os.getcwd()); sys.exit(7)\n"
CHECKS = "import sys; print('checks', *sys.argv[1:])\n"
METADATA = "Metadata-Version: 2.1\nName: locked\nVersion: 1.0\n"
RECORD = "locked.py,,\nlocked-1.0.dist-info/METADATA,,\nlocked-1.0.dist-info/RECORD,,\n"


def package(place: Path) -> str:
    """Build the one package, and answer the line that locks it."""
    with zipfile.ZipFile(place / WHEEL, "w") as wheel:
        wheel.writestr("locked.py", "")
        wheel.writestr("locked-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("locked-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("locked-1.0.dist-info/RECORD", RECORD)
    digest = hashlib.sha256((place / WHEEL).read_bytes()).hexdigest()
    return f"locked @ {(place / WHEEL).as_uri()} --hash=sha256:{digest}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    here = tmp_path / "a checkout"
    for name in ("gateway", "tests", "bin"):
        (here / name).mkdir(parents=True)
    lock = package(here)
    (here / "gw").write_bytes(GW.read_bytes())
    (here / "requirements.lock").write_text(lock)
    (here / "tests" / "requirements.lock").write_text(f"# and the checks\n{lock}")
    (here / "tests" / "run.py").write_text(CHECKS)
    (here / "gateway" / "__main__.py").write_text(PROGRAM)
    return here


def uv(checkout: Path, *, status: int) -> Path:
    """A `uv` that notes what it was asked and ends with `status`."""
    script = checkout / "bin" / "uv"
    script.write_text(f'#!/bin/sh\necho "$@" >> "{checkout}/uv.asked"\nexit {status}\n')
    script.chmod(0o755)
    return checkout / "uv.asked"


def start(checkout: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """As on a bare machine: an empty HOME, and nothing on the PATH but what the test put there."""
    inherited = {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "gw", *words],
        cwd=checkout,
        env={**inherited, "PATH": str(checkout / "bin"), "HOME": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(checkout: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    process = start(checkout, *words, **environment)
    out, err = process.communicate()
    return process.returncode, out, err


def test_a_first_call_sets_up_and_hands_over_even_if_uv_fails(checkout: Path) -> None:
    asked = uv(checkout, status=2)
    status, out, err = call(checkout, "keys", "create", "--name", "a b")
    assert (status, out) == (7, f"gateway keys create --name a b {checkout}\n"), err
    assert "setting up" in err
    assert "--require-hashes" in asked.read_text()
    python = checkout / ".venv" / "bin" / "python"
    found = subprocess.run([python, "-c", "import locked, gateway"], cwd="/", check=False)
    assert found.returncode == 0, "the package or the checkout is not on the path"


def test_a_package_that_is_not_the_locked_one_is_refused(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0000")[:-5] + "\n")
    status, out, err = call(checkout, "demo")
    assert (status, out) == (1, "")
    assert "HASH" in err.upper()
    assert not (checkout / ".venv" / "gw.stamp").exists()


def test_a_later_call_sets_up_nothing(checkout: Path) -> None:
    asked = uv(checkout, status=0)
    call(checkout, "demo")
    before = asked.read_text()
    assert call(checkout, "demo") == (7, f"gateway demo {checkout}\n", "")
    assert asked.read_text() == before


@pytest.mark.parametrize("name", ["requirements.lock", "tests/requirements.lock"])
def test_a_changed_lock_is_installed(checkout: Path, name: str) -> None:
    uv(checkout, status=0)
    verb = "test" if "tests" in name else "demo"
    call(checkout, verb)
    with (checkout / name).open("a") as lock:
        lock.write("# changed\n")
    assert "setting up" in call(checkout, verb)[2]


def test_the_checks_get_their_words_and_their_packages(checkout: Path) -> None:
    asked = uv(checkout, status=0)
    status, out, _ = call(checkout, "test", "tests/core", "-x")
    assert (status, out) == (0, "checks tests/core -x\n")
    assert str(Path("tests", "requirements.lock")) in asked.read_text()


def test_what_the_checks_installed_serves_every_other_verb(checkout: Path) -> None:
    uv(checkout, status=0)
    call(checkout, "test")
    assert call(checkout, "demo")[2] == ""


def test_two_first_calls_at_once_set_up_once(checkout: Path) -> None:
    asked = uv(checkout, status=0)
    both = [start(checkout, "demo"), start(checkout, "demo")]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [7, 7], said
    assert asked.read_text().count("install") == 1


def test_another_place_can_be_named(checkout: Path, tmp_path: Path) -> None:
    uv(checkout, status=0)
    assert call(checkout, "demo", GATEWAY_VENV=str(tmp_path / "elsewhere"))[0] == 7
    assert (tmp_path / "elsewhere" / "gw.stamp").exists()
    assert not (checkout / ".venv").exists()


def test_a_place_that_cannot_be_written_is_said(checkout: Path, tmp_path: Path) -> None:
    status, _, err = call(checkout, "demo", GATEWAY_VENV=str(tmp_path / "missing" / "venv"))
    assert status == 1
    assert "cannot be written" in err


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    uv(checkout, status=0)
    call(checkout, "demo")
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(checkout / "gone")
    assert call(checkout, "demo")[0] == 7


def test_a_missing_pip_is_said_with_its_cure(checkout: Path) -> None:
    (checkout / "ensurepip.py").write_text("raise ImportError('as Debian ships it')\n")
    status, _, err = call(checkout, "demo", PYTHONPATH=str(checkout))
    assert status == 1
    assert "apt install python3-venv" in err


def test_an_old_python_is_told_what_it_lacks(checkout: Path) -> None:
    ast.parse(GW.read_text(), feature_version=(3, 7))  # it gets as far as the sentence
    pretend = "import runpy, sys; sys.version_info = (3, 9); runpy.run_path('gw')"
    command = [sys.executable, "-c", pretend]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
