"""Entries by months, on a real PostgreSQL: nothing lost, nothing twice, whatever runs beside it."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from gateway.adapters import partitions, schema
from gateway.adapters.database import open_engine
from gateway.adapters.partitions import partition
from gateway.app.proxy import RequestIds
from gateway.core.month import Month
from tests.adapters.upkeep import count, post_at
from tests.builders import AT_US
from tests.fakes import postgres

THIS = Month(2026, 11)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with postgres.database() as url:
        opened = open_engine(url)
        yield opened
        opened.dispose()


def parts(engine: Engine) -> dict[str, int]:
    """How many entries each part has."""
    with engine.connect() as connection:
        names = connection.scalars(
            text(
                "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
                "WHERE relkind = 'r'"
            )
        ).all()
        return {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in sorted(names)
        }


def test_months_get_their_parts_and_their_entries(engine: Engine) -> None:
    old, last = (THIS.plus(-n).start_us for n in (3, 1))
    post_at(engine, old, old + 1, last, AT_US)
    post_at(engine, AT_US, ids=["not-an-id-of-ours"])
    done = partition(engine, now_us=AT_US, ahead=2)
    assert [str(month) for month in done.months] == [
        "2026-08", "2026-10", "2026-11", "2026-12", "2027-01",
    ]  # fmt: skip
    assert done.moved == 4
    assert parts(engine) == {
        "entry_2026_08": 2,
        "entry_2026_10": 1,
        "entry_2026_11": 1,
        "entry_2026_12": 0,
        "entry_2027_01": 0,
        "entry_default": 1,
    }
    again = partition(engine, now_us=AT_US, ahead=2)
    assert again.months == ()
    assert again.moved == 0


def test_an_entry_goes_into_its_month_s_part_or_into_the_one_for_the_rest(engine: Engine) -> None:
    partition(engine, now_us=AT_US, ahead=1)
    post_at(engine, AT_US, THIS.plus(2).start_us)
    found = parts(engine)
    assert (found["entry_2026_11"], found["entry_2026_12"], found["entry_default"]) == (1, 0, 1)


def test_an_id_is_one_entry_wherever_it_is(engine: Engine) -> None:
    ids = [RequestIds().new(at * 1000) for at in (THIS.plus(-1).start_us, AT_US)]
    post_at(engine, AT_US, AT_US, ids=ids)
    for _ in range(2):
        post_at(engine, AT_US, AT_US, ids=ids)
        partition(engine, now_us=AT_US, ahead=1)
    post_at(engine, AT_US, AT_US, ids=ids)
    assert count(engine) == 2
    with engine.connect() as connection:
        assert connection.scalar(select(func.sum(schema.usage_hour.c.requests))) == 2


def test_what_is_posted_before_the_lock_is_moved_under_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_all = partitions.lock_all

    def posting_first(connection: Connection) -> None:
        post_at(engine, AT_US)
        lock_all(connection)

    monkeypatch.setattr(partitions, "lock_all", posting_first)
    post_at(engine, AT_US)
    assert partition(engine, now_us=AT_US, ahead=1).moved == 2
    assert parts(engine) == {"entry_2026_11": 2, "entry_2026_12": 0, "entry_default": 0}


def test_gateways_post_on_meanwhile(engine: Engine) -> None:
    posted, enough = [], threading.Event()
    other = open_engine(engine.url.render_as_string(hide_password=False))

    def keep_posting() -> None:
        while not enough.is_set():
            posted.extend(post_at(other, AT_US, THIS.plus(-1).start_us))

    thread = threading.Thread(target=keep_posting)
    thread.start()
    try:
        for ahead in (1, 2, 3):
            partition(engine, now_us=AT_US, ahead=ahead)
    finally:
        enough.set()
        thread.join(60)
        other.dispose()
    assert not thread.is_alive()
    with engine.connect() as connection:
        assert sorted(connection.scalars(select(schema.entry.c.request_id))) == sorted(posted)


def test_who_reads_for_long_is_waited_for_shortly_and_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_MS_MAX", 10)
    monkeypatch.setattr(partitions, "LOCK_PAUSE_SECONDS", 0)
    post_at(engine, AT_US)
    with engine.connect() as reader:
        reader.execute(select(schema.entry)).all()
        with pytest.raises(OperationalError):
            partition(engine, now_us=AT_US, ahead=1)
        assert parts(engine) == {"entry_default": 1}
        post_at(engine, AT_US)
    assert partition(engine, now_us=AT_US, ahead=1).moved == 2
