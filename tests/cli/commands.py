"""Running the command line: what it said, and how it ended."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)
