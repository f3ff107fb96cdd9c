"""Every check of the house, in one go: `python3 gw test`.

Belongs here: which checks there are, and the floors of coverage. Words that follow go to pytest,
which then runs alone (`python3 gw test tests/core -x`); with `--long` and no other word the checks
stay on.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SOURCES = ("gateway", "tests", "migrations", "deploy", "bench", "gw")
CHECKS = (
    ("ruff", "check", *SOURCES),
    ("ruff", "format", "--check", *SOURCES),
    ("mypy", *SOURCES),
    ("lint-imports",),
)
REPORT = ("report", "--show-missing", "--skip-covered")
# A file's tests share their servers, so they stay together, in the order of the folders: the long
# journeys come before the last. One more at once than there are cores, for tests wait as often as
# they work; more than four only wait for the disk.
WORKERS = min(4, 1 + (os.cpu_count() or 1))
AT_ONCE = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
FLOORS = (
    (*REPORT, "--fail-under=100", "--include=gateway/core/*"),
    (*REPORT, "--fail-under=90"),
)


def passes(*command: str) -> bool:
    """Run quietly, and show the output only of what failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{done.stdout}{done.stderr}FAILED: {Path(command[0]).name} {' '.join(command[1:])}")
    sys.stdout.flush()
    return done.returncode == 0


def coverage(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "coverage", *words)


def main(words: list[str]) -> int:
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes would compile it all
    if words not in ([], ["--long"]):
        return subprocess.call((sys.executable, "-m", "pytest", *words))
    subprocess.call(coverage("erase"))
    with ThreadPoolExecutor(max_workers=1) as beside:
        checks = beside.map(lambda check: passes(str(BIN / check[0]), *check[1:]), CHECKS)
        tests = subprocess.call(coverage("run", "-m", "pytest", *AT_ONCE, *words))
        held = list(checks)
    if tests == 0:
        # silent when they hold: the last line is pytest's, and what reads the output looks there
        held += [passes(*coverage(*each)) for each in (("combine", "-q"), *FLOORS)]
    if not all(held):
        print("gw: not every check passed, see FAILED above")
    return tests or int(not all(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
