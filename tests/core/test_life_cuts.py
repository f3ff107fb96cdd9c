"""Cut after every byte of ten streams: a life claims no end that was not there, and keeps no byte.

In process, told as a relay tells it. What breaks on real sockets is a journey's business.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from gateway.core.errors import UpstreamUnavailable
from gateway.core.exchange import Basis, Exchange, Outcome
from tests.fakes.goldens import NAMES, Played, read
from tests.fakes.told import begun, settled

pytestmark = pytest.mark.usefixtures("full_speed")

PIECE_BYTES = 4096
STEP_BYTES = 13
NEAR_BYTES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a client got before the settlement and after it, and what was settled."""

    before: bytes
    after: bytes
    records: list[Exchange]


def cut_after(stream: bytes, offset: int, *, is_clean: bool) -> Left:
    """Drive a life with so many bytes, which then break off or end as if they were all."""
    life, before, after = begun(), b"", b""
    records: list[Exchange] = []
    edges = [*range(0, offset, PIECE_BYTES), offset]
    for start, end in itertools.pairwise(edges):
        ready = life.chunk(stream[start:end], 11.0)
        before, after = (before, after + ready) if records else (before + ready, after)
        if life.is_due:
            records.append(settled(life))
            after += life.release()
    life.ended(broken=None if is_clean else UpstreamUnavailable("Reset.", is_sent=True))
    if life.is_due:
        records.append(settled(life))
        after += life.release()
    return Left(before=before, after=after, records=records)


def check(played: Played, offset: int, *, is_clean: bool) -> Outcome:
    left = cut_after(played.stream, offset, is_clean=is_clean)
    assert left.before + left.after == played.stream[:offset], offset
    assert len(left.before) < played.complete_at, offset
    (record,) = left.records
    whole_at = played.told_at if is_clean else played.complete_at
    if offset < whole_at:
        assert (record.outcome, record.basis) == (Outcome.ABORTED, Basis.WORST_CASE), offset
        assert (record.usage, record.cost_pusd) == (None, record.hold.hold_pusd), offset
    else:
        assert record.outcome is played.outcome, offset
        assert record.basis is not Basis.WORST_CASE, offset
    return record.outcome


def few(played: Played) -> list[int]:
    """Some offsets everywhere, and each one around the terminal event's end."""
    near = range(played.told_at - NEAR_BYTES, min(played.complete_at + 3, len(played.stream)))
    return sorted({*range(0, len(played.stream), STEP_BYTES), *near, len(played.stream)})


def check_all(played: Played, offsets: Iterable[int], *, is_clean: bool) -> None:
    outcomes = {check(played, offset, is_clean=is_clean) for offset in offsets}
    assert outcomes == {Outcome.ABORTED, played.outcome}


BROKEN_OR_CLEAN = pytest.mark.parametrize("is_clean", [False, True], ids=["broken", "clean"])


@BROKEN_OR_CLEAN
@pytest.mark.parametrize("name", NAMES)
def test_a_cut_claims_no_end_that_was_not_there(name: str, is_clean: bool) -> None:
    played = read(name)
    check_all(played, few(played), is_clean=is_clean)


@pytest.mark.long
@BROKEN_OR_CLEAN
@pytest.mark.parametrize("name", NAMES)
def test_a_cut_after_every_byte_claims_no_end_that_was_not_there(name: str, is_clean: bool) -> None:
    played = read(name)
    check_all(played, range(len(played.stream) + 1), is_clean=is_clean)
