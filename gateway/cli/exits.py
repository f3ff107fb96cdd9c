"""How a verb ends when it cannot do its work: one clear line, and a code for scripts.

0 ok, 1 a check failed, 2 wrong usage (Typer's own), 3 configuration invalid, 4 a database or an
upstream that cannot be reached, 130 interrupted.
"""

from collections.abc import Callable
from typing import ClassVar

from gateway.cli.output import talk

INTERRUPTED = 130


class CommandStopped(Exception):
    """A verb that cannot go on; the message says what to do."""

    exit_code: ClassVar[int] = 1


class CheckFailed(CommandStopped):
    """What was asked about is not there, or not right."""

    exit_code = 1


class WrongUsage(CommandStopped):
    """The command line cannot be understood."""

    exit_code = 2


class SettingsRefused(CommandStopped):
    """The configuration is not valid."""

    exit_code = 3


class Unreachable(CommandStopped):
    """The database cannot be used."""

    exit_code = 4


def exit_code(run: Callable[[], object]) -> int:
    """Run it; the code that its process ends with, after the reason is said."""
    try:
        run()
    except CommandStopped as stopped:
        for line in str(stopped).splitlines():
            talk(f"gateway: {line}")
        return stopped.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
