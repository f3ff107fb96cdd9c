"""The real command line in a process of its own, at once: forked off one that has imported it.

Importing the gateway costs two seconds of a core, and the tests start it a hundred times. How it
starts in a new interpreter is tried by tests/cli/test_program and by the demo.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from gateway.cli.program import main
from tests.fakes.patience import be_patient

PATIENT = "TESTS_ARE_PATIENT"  # in an environment: the gateway that gets it is
_NURSERY = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(
    [
        "gateway.adapters.migrate",
        "gateway.app.server",
        "gateway.cli.serve",
        "gateway.cli.workers",
        "tests.fakes.nursery",
    ]
)


def start_gateway(
    *arguments: str, environment: dict[str, str], folder: Path, stdout: Connection, stderr: Path
) -> ForkServerProcess:
    """Run the command line with this environment, in this folder."""
    words = (arguments, environment, folder, stdout, stderr)
    process = _NURSERY.Process(target=_become, args=words)
    process.start()
    stdout.close()  # so that it ends with the last process that may write to it
    return process


def _become(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    folder: Path,
    stdout: Connection,
    stderr: Path,
) -> None:
    with stderr.open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    with stdout:
        os.dup2(stdout.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if os.environ.pop(PATIENT, ""):
        be_patient()
    sys.exit(main(arguments))
