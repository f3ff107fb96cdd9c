"""Postings as records of the journal, and back. Not here: the file (`journal`).

A row goes by the names of its columns, so that a later release reads what an earlier one left.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table

from gateway.adapters import schema
from gateway.adapters.rows import Row
from gateway.adapters.work import Held, Kept, Opened, Settled

log = logging.getLogger(__name__)

COUNTS = tuple(column.name for column in schema.usage_hour.columns if not column.primary_key)
CELL = tuple(column.name for column in schema.usage_hour.columns if column.primary_key)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class RecordUnknown(ValueError):
    """The record is whole, and yet says nothing that this release understands."""


def to_record(posting: Kept) -> bytes:
    """The payload of a posting. Raises ValueError where a value cannot be written."""
    try:
        return _encode(_said(posting))
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error


def from_record(payload: bytes) -> Kept:
    """What `to_record` wrote. Raises RecordUnknown."""
    try:
        return _posting(_decode(payload))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordUnknown(f"a record of {len(payload)} bytes: {error}") from error


def known_postings(payloads: Sequence[bytes]) -> list[Kept]:
    """What the records say; one that says nothing we know is told, and left out."""
    found = []
    for payload in payloads:
        try:
            found.append(from_record(payload))
        except RecordUnknown as unknown:
            log.error("%s", unknown)  # noqa: TRY400 - its text says it all, and many may follow
    return found


def _said(posting: Kept) -> dict[str, Any]:
    if isinstance(posting, Held):
        return {"hold": _named(schema.hold, posting.row)}
    if isinstance(posting, Opened):
        return {"opened": posting.request_id, "response_id": posting.response_id}
    return {
        "entry": _named(schema.entry, posting.row),
        "cell": dict(zip(CELL, posting.cell, strict=True)),
        "counts": dict(zip(COUNTS, posting.counts, strict=True)),
        "items": posting.items.hex(),
        "period": posting.period,
        "owned": posting.owned,
    }


def _posting(said: dict[str, Any]) -> Kept:
    if "hold" in said:
        return Held(row=_row(schema.hold, said["hold"]), is_sent=True)
    if "opened" in said:
        return Opened(request_id=said["opened"], response_id=said["response_id"])
    counts = said["counts"]
    return Settled(
        row=_row(schema.entry, said["entry"]),
        cell=tuple(said["cell"][name] for name in CELL),
        counts=tuple(int(counts.get(name, 0)) for name in COUNTS),
        items=bytes.fromhex(said.get("items", "")),
        period=int(said.get("period", 0)),
        owned=tuple(map(tuple, said.get("owned", ()))),
    )


def _named(table: Table, row: Row) -> dict[str, Any]:
    return {column.name: value for column, value in zip(table.columns, row, strict=True)}


def _row(table: Table, said: dict[str, Any]) -> Row:
    # The id must be there; a column that the writer did not know yet is empty.
    (key,) = table.primary_key
    said = {**said, key.name: str(said[key.name])}
    return tuple(said.get(column.name) for column in table.columns)
