"""How a verb ends when it cannot do its work: one clear line, and a code for scripts.

0 ok, 1 a check failed, 2 wrong usage (Typer's own), 3 configuration invalid, 4 a database or an
upstream that cannot be reached, 130 interrupted.
"""

from typing import ClassVar


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
