"""What a check-up found, and how long it may take to find it. Not here: any check."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a check-up; whatever is not ok says what to do about it."""

    check: str
    level: Level
    said: str
    fix: str = ""

    def __post_init__(self) -> None:
        assert (self.level == "ok") == (not self.fix), "a fix, and only where something is wrong"


Check = Callable[[], list[Finding]]


def ok(check: str, said: str) -> list[Finding]:
    """Nothing to do."""
    return [Finding(check=check, level="ok", said=said)]


def warn(check: str, said: str, fix: str) -> list[Finding]:
    """It works, and yet the operator should know."""
    return [Finding(check=check, level="warn", said=said, fix=fix)]


def fail(check: str, said: str, fix: str) -> list[Finding]:
    """It does not work."""
    return [Finding(check=check, level="fail", said=said, fix=fix)]


def examined(checks: Sequence[tuple[str, Check]], *, seconds_max: float) -> list[Finding]:
    """All findings, in the checks' order; what takes too long has failed.

    Each check has a thread of its own that nobody waits for at the end: a name server or a network
    folder that hangs cannot be told to stop.
    """
    running = [_Running(name, check) for name, check in checks]
    for one in running:
        one.start()
    for one in running:
        one.join(seconds_max)
    return [finding for one in running for finding in one.findings(seconds_max)]


class _Running(threading.Thread):
    def __init__(self, name: str, check: Check) -> None:
        super().__init__(name=name, daemon=True)
        self._check = check
        self._found: list[Finding] | None = None

    def run(self) -> None:
        try:
            self._found = self._check()
        except Exception as failure:  # noqa: BLE001 - a check that breaks is a finding, and no end of the others
            said = f"could not be checked: {str(failure) or type(failure).__name__}"
            self._found = fail(self.name, said, "see what it says; the other lines stand")

    def findings(self, seconds_max: float) -> list[Finding]:
        if self._found is not None:
            return self._found
        return fail(self.name, f"no answer within {seconds_max:g} s", "see why it hangs")
