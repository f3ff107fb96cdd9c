"""Keeps count of what was served: the truth that meters are compared with. Knows no prices.

A response counts from the moment it is generated, as it does upstream: the money is spent even
when the connection dies. The log file gets its line then, flushed, and outlives a kill.
"""

import dataclasses
import json
from pathlib import Path
from typing import IO

from gateway.simulator.directive import JsonObject
from gateway.simulator.script import Scene


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One generated response. `usage` is as reported, however odd."""

    request_index: int
    response_id: str
    model: str
    service_tier: str
    usage: object
    tool_usage: JsonObject
    outcome: str  # completed, incomplete or failed
    is_complete: bool = False  # its terminal event, or whole body, was handed to the socket
    body_bytes: int = 0  # handed to the socket


def served_scene(scene: Scene, request_index: int) -> Served:
    """Count a response as it was made."""
    return Served(
        request_index=request_index,
        response_id=scene.ids.response,
        model=scene.model,
        service_tier=scene.answered_tier,
        usage=scene.usage,
        tool_usage=scene.tool_usage,
        outcome=scene.status,
    )


class Oracle:
    def __init__(self, log_path: Path | None = None) -> None:
        self._served: dict[int, Served] = {}
        self._next_index = 0
        self._log: IO[str] | None = log_path.open("a", encoding="utf-8") if log_path else None

    @property
    def served(self) -> list[Served]:
        """All responses since the last reset, in the order in which they were generated."""
        return list(self._served.values())

    def generated(self, served: Served) -> int:
        """Count the response; returns its index."""
        index = self._next_index
        self._next_index += 1
        self._served[index] = served
        if self._log is not None:
            self._log.write(json_line(served, is_money_only=True))
            self._log.flush()
        return index

    def finished(self, index: int, *, is_complete: bool, body_bytes: int) -> None:
        if index in self._served:  # a reset may have come between
            self._served[index] = dataclasses.replace(
                self._served[index], is_complete=is_complete, body_bytes=body_bytes
            )

    def json_lines(self) -> bytes:
        return "".join(json_line(served) for served in self.served).encode()

    def reset(self) -> None:
        self._served.clear()

    def close(self) -> None:
        if self._log is not None:
            self._log.close()


def json_line(served: Served, *, is_money_only: bool = False) -> str:
    fields = dataclasses.asdict(served)
    if is_money_only:  # how far the bytes came is not known when the log is written
        del fields["is_complete"], fields["body_bytes"]
    return json.dumps(fields, ensure_ascii=False) + "\n"
