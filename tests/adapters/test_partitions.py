"""Entries by months, on a real PostgreSQL: nothing lost, nothing twice, whatever runs beside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

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


def entries_by_part(engine: Engine) -> dict[str, int]:
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
    made = partition(engine, now_us=AT_US, ahead=2)
    assert [part.name for part in made] == [
        "entry_2026_08", "entry_2026_10", "entry_2026_11", "entry_2026_12", "entry_2027_01",
    ]  # fmt: skip
    assert entries_by_part(engine) == {
        "entry_2026_08": 2,
        "entry_2026_10": 1,
        "entry_2026_11": 1,
        "entry_2026_12": 0,
        "entry_2027_01": 0,
        "entry_default": 1,
    }
    assert partition(engine, now_us=AT_US, ahead=2) == ()


def test_an_entry_goes_into_its_month_s_part_or_into_the_one_for_the_rest(engine: Engine) -> None:
    partition(engine, now_us=AT_US, ahead=1)
    post_at(engine, AT_US, THIS.plus(2).start_us)
    found = entries_by_part(engine)
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


def test_months_that_were_may_be_given_parts(engine: Engine) -> None:
    made = partition(engine, now_us=AT_US, ahead=1, since=Month(2025, 12))
    assert [part.since for part in made] == [Month(2025, 12).plus(n) for n in range(13)]


def test_what_was_large_before_is_set_aside_as_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "FEW_ROWS", 2)
    ids = post_at(engine, THIS.plus(-9).start_us, THIS.plus(-3).start_us, AT_US)
    assert [part.name for part in partition(engine, now_us=AT_US, ahead=3)] == [
        "entry_until_2027_01", "entry_2027_01", "entry_2027_02",
    ]  # fmt: skip
    assert entries_by_part(engine)["entry_until_2027_01"] == 3
    post_at(engine, AT_US, AT_US, AT_US, ids=ids)
    post_at(engine, THIS.plus(1).start_us, THIS.plus(2).start_us)
    found = entries_by_part(engine)
    assert (found["entry_until_2027_01"], found["entry_2027_01"]) == (4, 1)
    assert found["entry_default"] == 0
    assert partition(engine, now_us=AT_US, ahead=3) == ()
    with engine.connect() as connection:
        assert [part.name for part in partitions.parts(connection)] == [
            "entry_until_2027_01", "entry_2027_01", "entry_2027_02",
        ]  # fmt: skip


def test_what_was_forgotten_is_set_aside_behind_what_there_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "FEW_ROWS", 2)
    partition(engine, now_us=THIS.plus(-4).start_us, ahead=1)  # until September
    stray = THIS.plus(-8).start_us
    post_at(engine, stray, *(THIS.plus(-n).start_us for n in (4, 2, 1, 0)))
    assert [part.name for part in partition(engine, now_us=AT_US, ahead=1)] == [
        "entry_2026_03", "entry_2026_09_until_2027_01",
    ]  # fmt: skip
    assert entries_by_part(engine) == {
        "entry_2026_03": 1,
        "entry_2026_07": 1,
        "entry_2026_08": 0,
        "entry_2026_09_until_2027_01": 3,
        "entry_default": 0,
    }


def test_a_run_that_was_killed_is_done_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "FEW_ROWS", 0)
    post_at(engine, AT_US)
    with engine.begin() as connection:  # as it is between its first step and its last
        bound = partitions._bound(partitions.Part(THIS.plus(2), None))
        connection.exec_driver_sql(f"ALTER TABLE entry_default ADD {bound} NOT VALID")
    post_at(engine, AT_US, THIS.plus(1).start_us)
    assert partition(engine, now_us=AT_US, ahead=1)[0].name == "entry_until_2027_01"
    post_at(engine, THIS.plus(7).start_us)
    assert count(engine) == 4


def test_a_run_that_fails_leaves_no_bound(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "FEW_ROWS", 0)
    post_at(engine, AT_US, ids=["z-is-beyond-every-moment"])
    with pytest.raises(IntegrityError):
        partition(engine, now_us=AT_US, ahead=1)
    post_at(engine, AT_US, ids=["z-another"])
    assert entries_by_part(engine) == {"entry_default": 2}


def test_what_is_set_aside_is_not_read_through_under_the_lock(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    upkeep = partitions.upkeep

    @contextmanager
    def listening(engine: Engine) -> Iterator[Connection]:
        with upkeep(engine) as connection:
            connection.exec_driver_sql("SET LOCAL client_min_messages = debug1")
            driver: Any = connection.connection.driver_connection
            driver.add_notice_handler(lambda notice: notices.append(notice.message_primary))
            yield connection

    monkeypatch.setattr(partitions, "FEW_ROWS", 0)
    monkeypatch.setattr(partitions, "upkeep", listening)
    post_at(engine, AT_US)
    partition(engine, now_us=AT_US, ahead=1)
    said = 'partition constraint for table "entry_until_2027_01" is implied by existing constraints'
    assert said in notices


@pytest.mark.parametrize("few", [0, 10_000], ids=["set aside", "moved"])
def test_gateways_post_on_meanwhile(
    engine: Engine, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "FEW_ROWS", few)
    posted: list[str] = []
    enough = threading.Event()
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
        assert entries_by_part(engine) == {"entry_default": 1}
        post_at(engine, AT_US)
    partition(engine, now_us=AT_US, ahead=1)
    assert entries_by_part(engine)["entry_2026_11"] == 2
