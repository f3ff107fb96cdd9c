"""Old months go whole, what is still needed stays, and usage is what it was; on both databases."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, select

from gateway.adapters import partitions, retention, schema
from gateway.adapters.database import write_transaction
from gateway.adapters.reports import usage
from gateway.adapters.retention import Old, StillNeeded, old_months, prune
from gateway.adapters.rows import hold_row
from gateway.core.month import Month
from tests.adapters.upkeep import count, post_at
from tests.builders import AT_US, hold

THIS = Month(2026, 11)
BY = ("tenant", "model", "key", "day")


def at(months_ago: int, *, after_us: int = 0) -> int:
    return THIS.plus(-months_ago).start_us + after_us


def adjust(engine: Engine, name: str, kind: str = "late_truth") -> None:
    with write_transaction(engine) as connection:
        row = {"request_id": name, "kind": kind, "delta_pusd": 5, "at_us": AT_US, "note": ""}
        connection.execute(insert(schema.adjustment), row)


@pytest.fixture(params=["in parts", "aside", "in one"])
def parted(
    request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Gives PostgreSQL's months their parts, sets them aside, or leaves all in the one part."""

    def run() -> None:
        if request.param != "in one" and partitions.has_parts(engine):
            monkeypatch.setattr(partitions, "FEW_ROWS", 0 if request.param == "aside" else 1000)
            partitions.partition(engine, now_us=AT_US, ahead=1)

    return run


def test_old_months_go_whole_and_usage_stays(engine: Engine, parted: Callable[[], None]) -> None:
    oldest, old = post_at(engine, at(3), at(2, after_us=-1))
    edge, new = post_at(engine, at(2), AT_US)
    for name in (oldest, edge):
        adjust(engine, name)
    parted()
    before = usage(engine, by=BY)
    first = THIS.plus(-2)
    assert old_months(engine, first) == [Old(month=THIS.plus(-3), requests=2)]
    prune(engine, THIS.plus(-2))
    with engine.connect() as connection:
        assert set(connection.scalars(select(schema.entry.c.request_id))) == {edge, new}
        assert connection.scalars(select(schema.adjustment.c.request_id)).all() == [edge]
    assert usage(engine, by=BY) == before
    assert old_months(engine, first) == []
    assert old not in (edge, new)


def test_months_that_are_old_are_told_oldest_first(
    engine: Engine, parted: Callable[[], None]
) -> None:
    post_at(engine, at(5), at(3), at(3), at(1))
    parted()
    assert [(str(one.month), one.requests) for one in old_months(engine, THIS.plus(-1))] == [
        ("2026-06", 1),
        ("2026-08", 2),
    ]


def test_what_is_held_keeps_its_month(engine: Engine, parted: Callable[[], None]) -> None:
    post_at(engine, at(3))
    parted()
    with write_transaction(engine) as connection:
        row = hold_row(hold(request_id="held", created_at_us=at(3)), owner_id="me")
        names = schema.hold.c.keys()
        connection.execute(insert(schema.hold), dict(zip(names, row, strict=True)))
    with pytest.raises(StillNeeded, match=r"1 requests of before 2026-09 .* `gateway holds list`"):
        prune(engine, THIS.plus(-2))
    assert count(engine) == 1


def test_what_has_no_cost_yet_keeps_its_month_unless_it_may_go(
    engine: Engine, parted: Callable[[], None]
) -> None:
    post_at(engine, at(3), cost_pusd=None, lines=())
    parted()
    with pytest.raises(StillNeeded, match="`gateway prices reprice`"):
        prune(engine, THIS.plus(-2))
    assert count(engine) == 1
    prune(engine, THIS.plus(-2), may_lack_cost=True)
    assert count(engine) == 0


def test_what_was_repriced_may_go(engine: Engine) -> None:
    (name,) = post_at(engine, at(3), cost_pusd=None, lines=())
    adjust(engine, name, "repriced")
    prune(engine, THIS.plus(-2))
    assert count(engine) == 0
    assert count(engine, schema.adjustment) == 0


def test_between_batches_others_have_their_turn(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ENTRIES_MAX", 2)
    post_at(engine, *(at(3, after_us=n) for n in range(5)))
    left: list[int] = []

    def turn(_seconds: float) -> None:
        post_at(engine, AT_US)  # as a gateway would, in a transaction of its own
        left.append(count(engine))

    prune(engine, THIS.plus(-2), sleep=turn)
    assert left == [4, 3]
    assert count(engine) == 2


def test_a_pruned_month_goes_on_taking_what_comes_late(
    engine: Engine, parted: Callable[[], None]
) -> None:
    post_at(engine, at(3))
    parted()
    prune(engine, THIS.plus(-2))
    post_at(engine, at(3))
    assert count(engine) == 1
    parted()
    assert count(engine) == 1
