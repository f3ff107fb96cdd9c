"""Reads README and `docs/` as somebody who tries all that stands there, block by block.

A `bash` block is run as it stands, in a folder like a fresh clone; a `console` block too, and what
it shows must come, `…` standing for anything. A block with a file's name behind its language is
written to that file. What starts a server runs on beside the rest. A reader fills in what is
theirs: the key for `gw_…`, one for `sk-…`, a request's id for `ID`, free ports. A comment above a
block, `<!-- not run: why -->`, leaves it out. Not here: which pages there are.
"""

import os
import re
import select
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 120
SIMULATOR = ".venv/bin/python -m gateway.simulator --port 9100"
SERVERS = ("python3 gw serve", ".venv/bin/python -m gateway.simulator")
BEGINNING = f"""
```bash
{SIMULATOR}
```
```bash
python3 gw serve
```
```bash
python3 gw tenants create acme/search
python3 gw policies set acme/search --max-output-tokens-default 4096
python3 gw keys create --tenant acme/search --json
```
"""
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+?) -->\n)?^```(?P<language>\w+)(?: (?P<file>\S+))?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_KEY = re.compile(r"gw_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
_REQUEST = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PORT = re.compile(r"\b(?:8080|9100)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    language: str
    file: str | None
    text: str
    why_not_run: str | None

    @property
    def is_run(self) -> bool:
        return self.why_not_run is None and (
            self.language in {"bash", "console"} or bool(self.file)
        )


def blocks(text: str) -> list[Block]:
    """Every block of a page, in order."""
    return [
        Block(
            language=found["language"],
            file=found["file"],
            text=found["text"],
            why_not_run=found["why"],
        )
        for found in _BLOCK.finditer(text)
    ]


def sections(page: Path) -> dict[str, str]:
    """A page's text by its second-level headings; what stands before them is under ''."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def shown(block: Block) -> Iterator[tuple[str, str]]:
    """Commands of a `console` block, each with what it is to print."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(slots=True)
class Reader:
    """Somebody with a shell in `folder`; what was said so far is what they fill blanks from."""

    folder: Path
    env: dict[str, str]
    key: str = "gw_none"
    request_id: str = "none"
    ports: dict[str, int] = field(default_factory=dict)
    beside: list["subprocess.Popen[str]"] = field(default_factory=list)

    def follow(self, text: str) -> None:
        """Do all that a text says."""
        for block in blocks(text):
            if block.is_run:
                self._do(block)

    def _do(self, block: Block) -> None:
        if block.file is not None:
            place = self.folder / block.file
            place.parent.mkdir(exist_ok=True)
            place.write_text(self.filled(block.text), encoding="utf-8")
        elif block.language == "console":
            for command, output in shown(block):
                assert_shows(self.run(command), self.filled(output))
        elif any(line.startswith(SERVERS) for line in block.text.splitlines()):
            self.start(block.text)
        else:
            self.run(block.text)

    def filled(self, text: str) -> str:
        """A text with a reader's own words in its blanks."""
        text = text.replace("gw_…", self.key).replace("sk-…", "sk-simulated")
        text = re.sub(r"(?<= )ID\b", self.request_id, text)
        return _PORT.sub(lambda found: str(self.port(found[0])), text)

    def port(self, written: str) -> int:
        """The free port that is taken for one of the page's."""
        return self.ports.setdefault(written, free_port())

    def run(self, script: str) -> str:
        """What a script prints; it must end well. What it exports stays."""
        kept = shlex.quote(str(self.folder / "exported"))
        whole = f"set -eo pipefail\n. {kept}\n{self.filled(script)}\nexport -p > {kept}\n"
        done = subprocess.run(
            ["bash", "-c", whole],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        self.remember(done.stdout)
        return done.stdout

    def remember(self, said: str) -> None:
        self.key = (_KEY.findall(said) or [self.key])[-1]
        self.request_id = (_REQUEST.findall(said) or [self.request_id])[-1]

    def start(self, script: str) -> None:
        """A server in a terminal of its own, once it listens; its exports stay there."""
        *before, last = self.filled(script).strip().splitlines()
        whole = "\n".join(["set -e", *before, f"exec {last}"])
        env = {**self.env, "GATEWAY_PORT": str(self.port("8080"))}
        with (self.folder / "servers.log").open("a") as log:
            process = subprocess.Popen(
                ["bash", "-c", whole],
                cwd=self.folder,
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.beside.append(process)
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], RUN_SECONDS_MAX)
        line = process.stdout.readline() if ready else ""
        assert "listening on" in line, (self.folder / "servers.log").read_text()


@contextmanager
def reading(folder: Path, *, simulator_port: int | None = None) -> Iterator[Reader]:
    """A reader with a clone's files in `folder`; the servers that they start are ended with it.

    The upstream is the simulator of the pages, where they do not say another; `simulator_port` is
    of one that runs already.
    """
    (folder / "gw").symlink_to(ROOT / "gw")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "exported").touch()
    (folder / "bin").mkdir()
    gateway = folder / "bin" / "gateway"  # as an installed package brings it
    gateway.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n', encoding="ascii")
    gateway.chmod(0o700)
    # what the tests are run with; and without kept bytecode each command takes twice as long
    drop = ("GATEWAY_", "OPENAI_", "COV", "HTTP_", "HTTPS_", "ALL_", "PYTHONDONTWRITE")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(drop)}
    reader = Reader(
        folder=folder,
        env={
            **kept,
            "HOME": str(folder),
            "PATH": f"{folder / 'bin'}:{Path(sys.prefix) / 'bin'}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GATEWAY_VENV": sys.prefix,
            "GATEWAY_UPSTREAM_API_KEY": "sk-simulated",
        },
    )
    if simulator_port is not None:
        reader.ports["9100"] = simulator_port
    reader.env["GATEWAY_UPSTREAM_BASE_URL"] = f"http://127.0.0.1:{reader.port('9100')}/v1"
    try:
        yield reader
    finally:
        for process in reversed(reader.beside):
            process.terminate()
            process.wait(RUN_SECONDS_MAX)
            assert process.stdout is not None
            process.stdout.close()


def assert_shows(said: str, wanted: str) -> None:
    """Line by line; a `…` stands for anything, also for more lines where it stands alone."""
    pattern = re.escape(wanted.strip()).replace(re.escape("…"), ".*?")
    assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"wanted:\n{wanted}\ncame:\n{said}"
