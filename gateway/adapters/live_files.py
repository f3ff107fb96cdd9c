"""What the processes of one host tell each other of their open exchanges, by files in state_dir.

A process writes only while somebody looks: who looks touches a file that all watch. Not here: what
is told (`core.progress`), or which exchanges there are (`open_holds`).
"""

import contextlib
import os
import time
from pathlib import Path

import msgspec

from gateway.core.progress import SoFar

WATCHED_SECONDS = 15.0  # how long one look counts
STALE_SECONDS = 5.0  # an older file's writer has died, or does not get its turn

_Told = dict[str, SoFar]  # by request id


class LiveFiles:
    """One process's file, and those of the others."""

    def __init__(self, folder: Path, owner_id: str) -> None:
        self._folder = folder
        self._own = folder / f"live-{owner_id}.json"
        self._watched = folder / "live.watched"

    def is_watched(self) -> bool:
        """Whether somebody looked a short while ago, at any process."""
        return _age_seconds(self._watched) < WATCHED_SECONDS

    def tell(self, so_far: _Told) -> None:
        """Write what is open here; whole or not at all."""
        fresh = self._own.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(so_far))
        fresh.replace(self._own)

    def look(self) -> _Told:
        """What all others told last."""
        self._watched.touch(mode=0o600)
        found: _Told = {}
        for path in self._folder.glob("live-*.json"):
            if path != self._own and _age_seconds(path) < STALE_SECONDS:
                with contextlib.suppress(OSError, msgspec.DecodeError):
                    found |= msgspec.json.decode(path.read_bytes(), type=_Told)
        return found

    def end(self) -> None:
        """This process goes."""
        self._own.unlink(missing_ok=True)


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - os.stat(path).st_mtime  # noqa: PTH116 - each second, in every process
    except FileNotFoundError:
        return float("inf")
