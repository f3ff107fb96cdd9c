"""What goes into the journal comes out of it, also in another release."""

from typing import Any

import msgspec
import pytest

from gateway.adapters.journal_records import (
    RecordUnknown,
    from_record,
    known_postings,
    to_record,
)
from gateway.adapters.rows import hold_row
from gateway.adapters.work import Held, Kept, Opened, settled
from tests import builders

POSTINGS: list[Kept] = [
    Held(row=hold_row(builders.hold(tags={"ü": "\x00"}), owner_id="me"), is_sent=True),
    Held(row=hold_row(builders.hold(price=None, hold_pusd=2**62), owner_id="me"), is_sent=True),
    Opened(request_id="a", response_id="resp_1"),
    settled(builders.exchange()),
    settled(builders.exchange(cost_pusd=None, usage=None, lines=(), client_gone=True)),
]


@pytest.mark.parametrize("posting", POSTINGS, ids=lambda one: type(one).__name__)
def test_there_and_back(posting: Kept) -> None:
    assert from_record(to_record(posting)) == posting


def test_an_older_release_lacks_a_column_and_a_newer_has_one_more() -> None:
    posting = settled(builders.exchange())
    said = msgspec.json.decode(to_record(posting))
    said["entry"]["of_a_later_release"] = 1
    said["counts"]["of_a_later_release"] = 1
    del said["entry"]["first_byte_us"]
    del said["counts"]["unpriced"]
    read = from_record(msgspec.json.encode(said))
    assert read == settled(builders.exchange(hold=_hold_of(read), first_byte_seconds=None))


def _hold_of(posting: Kept) -> object:
    assert not isinstance(posting, Opened)
    return builders.hold(request_id=posting.row[0])


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"hold":1}', b'{"hold":{}}', b'{"opened":1}', b'{"entry":{}}']
)
def test_what_says_nothing_is_told_and_left_out(payload: bytes) -> None:
    with pytest.raises(RecordUnknown):
        from_record(payload)
    opened = Opened(request_id="a", response_id="b")
    assert known_postings([payload, to_record(opened), payload]) == [opened]


@pytest.mark.parametrize("response_id", ["\ud800", object()])
def test_what_cannot_be_written_says_so(response_id: Any) -> None:
    with pytest.raises(ValueError, match=r"surrogates|unsupported"):
        to_record(Opened(request_id="a", response_id=response_id))
