"""Running the command line: what it said, and how it ended."""

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from tests.fakes.nursery import start_gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One run of a verb."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Gateway = Callable[..., Said]  # in this process, after the program's own entry point


def command(*arguments: str, **environment: str) -> Said:
    """The real command in a process of its own, in the current folder."""
    readable, writable = multiprocessing.Pipe(duplex=False)
    with (
        NamedTemporaryFile() as stderr,
        readable,
        os.fdopen(os.dup(readable.fileno()), "rb") as out,
    ):
        process = start_gateway(
            *arguments,
            environment={**os.environ, **environment},
            folder=Path.cwd(),
            stdout=writable,
            stderr=Path(stderr.name),
        )
        said = out.read().decode()
        process.join()
        assert process.exitcode is not None
        return Said(code=process.exitcode, out=said, err=stderr.read().decode())
