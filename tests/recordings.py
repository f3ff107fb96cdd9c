"""Recorded traffic and reference data kept outside the project: where they are, how to read them.

Not here: expectations. A test that needs these files carries the marker `needs_recordings`.
"""

import csv
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MISSING = "recordings are kept outside the project: set GATEWAY_RECORDINGS to their folder"


def recordings_folder() -> Path:
    return Path(os.environ.get("GATEWAY_RECORDINGS") or ROOT.parent / "shared" / "recordings")


def shared_file(name: str) -> Path:
    """A reference file beside the recordings' folder, for example `sse_conformance.json`."""
    return recordings_folder().parent / name


def skip_without(path: Path) -> None:
    """Skip the test, with the reason, when `path` is absent; fail where all tests must run."""
    if path.exists():
        return
    if os.environ.get("GATEWAY_TEST_ALL") == "1":
        pytest.fail(f"{path} is absent, and GATEWAY_TEST_ALL=1 wants every test to run")
    pytest.skip(MISSING)


def shared_json(name: str) -> Any:
    """The content of a reference file; skips the test when it is absent."""
    path = shared_file(name)
    skip_without(path)
    return json.loads(path.read_bytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of INDEX.tsv: what a recording is, and what must be read from it."""

    file: str
    api: str
    is_stream: bool
    event_counts: dict[str, int]
    terminal: str
    model: str
    service_tier: str
    usage: dict[str, Any] | None
    tool_usage: dict[str, Any] | None
    kinds: frozenset[str]
    incomplete: dict[str, Any] | None
    response_id: str
    host: str
    status: int | None
    method: str
    path: str
    size_bytes: int

    def read(self) -> bytes:
        return (recordings_folder() / self.file).read_bytes()


def index_rows(*, api: str | None = None, stream: bool | None = None) -> list[Row]:
    """Rows of the index, of one API, streams or whole bodies. Skips when there is no index."""
    skip_without(recordings_folder() / "INDEX.tsv")
    return [
        row
        for row in _all_rows(recordings_folder())
        if (api is None or row.api == api) and (stream is None or row.is_stream == stream)
    ]


@cache
def _all_rows(folder: Path) -> list[Row]:
    with (folder / "INDEX.tsv").open(newline="") as index:
        return [_row(fields) for fields in csv.DictReader(index, delimiter="\t")]


def _row(fields: dict[str, str]) -> Row:
    counts = (part.rpartition(":") for part in fields["events"].split(",") if part)
    return Row(
        file=fields["file"],
        api=fields["api"],
        is_stream=fields["stream"] == "1",
        event_counts={kind: int(count) for kind, _, count in counts},
        terminal=fields["terminal"],
        model=fields["model"],
        service_tier=fields["service_tier"],
        usage=json.loads(fields["usage"] or "null"),
        tool_usage=json.loads(fields["tool_usage"] or "null"),
        kinds=frozenset(fields["kinds"].split(",")),
        incomplete=json.loads(fields["incomplete"] or "null"),
        response_id=fields["rid"],
        host=fields["host"],
        status=int(fields["status"]) if fields["status"] else None,
        method=fields["method"],
        path=fields["path"],
        size_bytes=int(fields["bytes"]),
    )
