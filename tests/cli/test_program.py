"""The command as a whole: verbs, mistakes, exit codes, and what is not imported."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import __version__
from tests.cli.commands import Gateway


def test_the_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gateway {__version__}\n", "")


def test_the_version_waits_for_no_heavy_import() -> None:
    script = (
        "import sys; from gateway.cli.program import main; main(['--version']); "
        "print(sorted({'pydantic', 'sqlalchemy', 'httpx', 'rich', 'fastapi'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_verb(gateway: Gateway) -> None:
    said = gateway("--help")
    verbs = [line.split()[0] for line in said.out.partition("Commands:\n")[2].splitlines()]
    assert verbs == [
        "serve", "demo", "migrate", "tenants", "keys", "policies", "budgets", "apply",
        "usage", "entries", "request", "advise", "holds", "ledger", "simulate", "prices",
        "tokens", "audit", "config", "doctor",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "verb",
    [
        ["serve"], ["migrate"], ["tenants", "create"], ["tenants", "list"], ["keys", "create"],
        ["keys", "rotate"], ["usage"], ["entries"], ["request"], ["prices", "check"],
        ["prices", "show"], ["config", "show"], ["holds", "list"], ["advise"],
    ],
)  # fmt: skip
def test_every_verb_has_help(gateway: Gateway, verb: list[str]) -> None:
    said = gateway(*verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: gateway {' '.join(verb)} ")


def test_nothing_asked_is_answered_with_help(gateway: Gateway) -> None:
    said = gateway()
    assert said.code == 2
    assert "Commands:" in said.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["tenant"], "gateway: there is no verb 'tenant'; did you mean `gateway tenants`?"),
        (["zzz"], "gateway: there is no verb 'zzz'; `gateway --help` lists all"),
        (["keys", "creat"], "Error: No such command 'creat'. Did you mean 'create'?"),
        (["keys", "create"], "Error: Missing option '--tenant'."),
        (["entries", "--limit", "0"], "Error: Invalid value for '--limit': "),
    ],
)
def test_wrong_usage_is_told_in_a_line(gateway: Gateway, arguments: list[str], line: str) -> None:
    said = gateway(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith(line)


def test_an_invalid_configuration_ends_every_verb_alike(gateway: Gateway) -> None:
    Path("gateway.toml").write_text("prot = 1\n[log]\nlevl = 'info'\n")
    said = gateway("tenants", "list")
    assert (said.code, said.out) == (3, "")
    assert said.err.splitlines() == [
        "gateway: gateway.toml: unknown setting prot; did you mean port?",
        "gateway: gateway.toml: unknown setting log.levl; did you mean log.level?",
    ]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and what it starts would too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_quietly(tmp_path: Path) -> None:
    fifo = tmp_path / "config.toml"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "config", "show", "--config", str(fifo)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with fifo.open("wb"):  # opens once the verb reads, and keeps it waiting
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
