"""The log of changes: complete, in order, and forgotten in time."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, delete

from gateway.adapters import schema
from gateway.adapters.changes import (
    CHANGES_MAX,
    KEY,
    TENANT,
    TOUCHED_SECONDS,
    Change,
    ChangeLog,
    News,
    newest_change,
    record_change,
)
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from tests.builders import AT_US
from tests.fakes import ledgerview


def record(engine: Engine, *subjects: str, kind: str = KEY) -> None:
    with write_transaction(engine) as connection:
        for subject in subjects:
            record_change(connection, kind, subject)


def read(engine: Engine, log: ChangeLog, *, asked_seconds: float = 0.0) -> News:
    with engine.connect() as connection:
        return log.read(connection, newest_change(connection), asked_seconds)


def subjects(news: News) -> list[str]:
    assert news.changes is not None
    return [change.subject for change in news.changes]


def test_what_is_new_is_read_once_and_in_order(engine: Engine) -> None:
    log = ChangeLog()
    record(engine, "before")
    assert read(engine, log).changes is None  # whoever cached before was told nothing
    assert read(engine, log).changes == ()
    record(engine, "a", "b")
    record(engine, "acme", kind=TENANT)
    news = read(engine, log, asked_seconds=7.0)
    assert subjects(news) == ["a", "b", "acme"]
    assert news.changes is not None
    assert news.changes[2] == Change(kind=TENANT, subject="acme")
    assert news.asked_seconds == 7.0
    assert read(engine, log).changes == ()


@pytest.mark.parametrize("is_restored", [True, False])
def test_a_log_that_cannot_be_followed_means_that_anything_changed(
    engine: Engine, is_restored: bool
) -> None:
    log = ChangeLog()
    record(engine, "a")
    read(engine, log)
    if is_restored:  # from a backup: its numbers begin again
        with write_transaction(engine) as connection:
            connection.execute(delete(schema.change))
    else:
        record(engine, *(str(number) for number in range(CHANGES_MAX + 1)))
    assert read(engine, log).changes is None
    assert read(engine, log).changes == ()


def test_a_change_that_fails_is_not_logged(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write_transaction(engine) as connection:  # noqa: PT012 - the block is the transaction
        record_change(connection, KEY, "a")
        raise RuntimeError
    assert ledgerview.rows(engine, schema.change) == []


def test_a_number_is_never_seen_before_a_lower_one(engine: Engine) -> None:
    """Of two at once the second waits: else its number could be read, and the lower one missed."""
    is_recorded = threading.Event()

    def other() -> None:
        record(engine, "second")
        is_recorded.set()

    with write_transaction(engine) as connection:
        record_change(connection, KEY, "first")
        thread = threading.Thread(target=other)
        thread.start()
        assert not is_recorded.wait(0.2)
        with engine.connect() as reading:
            assert newest_change(reading) == 0
    thread.join()
    found = {row["subject"]: row["n"] for row in ledgerview.rows(engine, schema.change)}
    assert found["first"] < found["second"]


def test_what_was_touched_is_known_for_a_time(engine: Engine) -> None:
    seconds = [0.0]
    log = ChangeLog(clock=lambda: seconds[0])
    read(engine, log)
    assert not log.was_touched("k", "acme/search")
    record(engine, "k")
    record(engine, "beta", kind=TENANT)
    read(engine, log, asked_seconds=0.0)
    assert log.was_touched("k", "acme/search")
    assert log.was_touched("other", "beta/x")
    assert not log.was_touched("other", "acme/search")
    seconds[0] = TOUCHED_SECONDS
    assert not log.was_touched("k", "acme/search")


VERBS: list[tuple[Callable[[Directory, str], object], str, bool]] = [
    (lambda directory, _: directory.create_tenant("acme/b"), TENANT, True),
    (lambda directory, _: directory.create_tenant("acme"), TENANT, False),
    (lambda directory, _: directory.suspend("acme"), TENANT, True),
    (lambda directory, _: directory.resume("acme"), TENANT, True),
    (lambda directory, _: directory.issue_key("acme"), KEY, True),
    (lambda directory, key_id: directory.revoke_key(key_id), KEY, True),
    (lambda directory, key_id: directory.rotate_key(key_id), KEY, True),
]


@pytest.mark.parametrize(("verb", "kind_of_change", "is_logged"), VERBS)
def test_every_administrative_change_is_logged(
    engine: Engine,
    verb: Callable[[Directory, str], object],
    kind_of_change: str,
    is_logged: bool,
) -> None:
    directory = Directory(engine=engine, now_us=lambda: AT_US)
    directory.create_tenant("acme")
    key = directory.issue_key("acme")
    log = ChangeLog()
    read(engine, log)
    verb(directory, key.id)
    news = read(engine, log)
    assert news.changes is not None
    assert {change.kind for change in news.changes} == ({kind_of_change} if is_logged else set())
