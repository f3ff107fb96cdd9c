"""Workers that only wait, as a program: `python -m tests.fakes.crew COUNT [TRICK…]`.

It says what becomes of them, a line each. Tricks: `refuses=N`, the worker of that number cannot
start; `deaf=N`, it does not hear the first SIGTERM; `dies=N`, it ends as soon as it is ready.
"""

import os
import select
import signal
import sys

from gateway.cli.exits import SettingsRefused, exit_code
from gateway.cli.workers import Place, Workers


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # whole, whoever else is writing


def work(place: Place, tricks: list[str]) -> None:
    if f"refuses={place.number}" in tricks:
        raise SettingsRefused(f"worker {place.number} cannot start")
    is_deaf = f"deaf={place.number}" in tricks

    def end(_number: int, _frame: object) -> None:
        nonlocal is_deaf
        if not is_deaf:
            say(f"ended {place.number}")
            sys.exit()
        is_deaf = False

    signal.signal(signal.SIGTERM, end)
    say(f"worker {place.number} {os.getpid()}")
    place.tell_ready()
    if f"dies={place.number}" not in tricks:
        select.select([place.parent], [], [])
        say(f"orphaned {place.number}")


def main(count: int, *tricks: str) -> None:
    Workers(
        count,
        lambda place: work(place, list(tricks)),
        on_ready=lambda: say("ready"),
        on_lost=lambda number: say(f"lost {number}"),
        on_end=lambda: say("ending"),
    ).run()


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(int(sys.argv[1]), *sys.argv[2:])))
