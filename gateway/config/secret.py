"""A secret from a setting or a file; the file is read again when it changes.

Not here: what the secret opens.
"""

import os
from pathlib import Path

from gateway.config.values import Secret


class SecretUnreadable(ValueError):
    """The file that should hold a secret cannot be read, or holds none."""


class CurrentSecret:
    """Called for each use. Without value and file it is empty.

    A file that is gone or empty for a moment, as in a rotation, leaves the last secret in force.
    """

    def __init__(self, value: Secret | None, file: Path | None) -> None:
        self._text = value.get_secret_value() if value else ""
        self._file = file
        self._seen: tuple[int, ...] = ()
        if file is not None and not self():
            raise SecretUnreadable(f"{file}: cannot be read, or is empty; it should hold a secret")

    def __call__(self) -> str:
        if self._file is not None:
            self._read_if_changed(self._file)
        return self._text

    def __repr__(self) -> str:
        return "CurrentSecret(***)"

    def _read_if_changed(self, file: Path) -> None:
        try:
            state = os.stat(file)  # noqa: PTH116 - on every request; Path.stat costs three times as much
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen == self._seen:
                return
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return
        self._text = text or self._text
        self._seen = seen
