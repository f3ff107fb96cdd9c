"""The record out of one database and into another: the same rows, once, or a clear refusal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from gateway.adapters import archive, migrate, schema
from gateway.adapters.archive import TABLES, ImportRefused, lines, read_in, rows
from gateway.adapters.database import open_engine, write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies
from tests.adapters.upkeep import count, post_at
from tests.builders import AT_US
from tests.fakes import ledgerview, postgres

DAY_US = 86_400_000_000


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite with tenants, keys and entries."""
    opened = open_engine(f"sqlite:///{tmp_path}/from.db")
    migrate.upgrade(opened)
    directory = Directory(engine=opened, now_us=lambda: AT_US)
    directory.create_tenant("acme/search")
    directory.issue_key("acme/search")
    names = post_at(opened, AT_US, AT_US + DAY_US, AT_US + 2 * DAY_US)
    with write_transaction(opened) as connection:
        row = {"request_id": names[1], "kind": "late_truth", "delta_pusd": -7, "at_us": AT_US}
        connection.execute(schema.adjustment.insert(), {**row, "note": "\N{SNOWMAN}\n"})
    yield opened
    opened.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database with this version's schema."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path}/to.db")
        migrate.upgrade(opened)
        yield opened
        opened.dispose()
        return
    with postgres.database(is_empty=True) as url:
        opened = open_engine(url)
        migrate.upgrade(opened)
        yield opened
        opened.dispose()


def everything(engine: Engine) -> dict[str, Any]:
    return {
        name: sorted(map(repr, ledgerview.rows(engine, schema.metadata.tables[name])))
        for name in TABLES
    }


def written(source: Engine) -> list[bytes]:
    return list(lines(source, rows(source)))


def test_a_ledger_moves_whole_and_twice_is_once(source: Engine, target: Engine) -> None:
    file = written(source)
    done = read_in(target, file)
    assert done.written["entry"] == 3
    assert not done.present.total()
    assert everything(target) == everything(source)
    again = read_in(target, file)
    assert again.present == done.written
    assert not again.written.total()
    assert everything(target) == everything(source)
    assert written(target)[1:] != []
    assert sorted(written(target)) == sorted(file)


def test_the_record_goes_on_where_it_was(source: Engine, target: Engine) -> None:
    read_in(target, written(source))
    directory = Directory(engine=target, now_us=lambda: AT_US)
    directory.create_tenant("acme/other")
    Policies(engine=target, now_us=lambda: AT_US)
    post_at(target, AT_US)
    assert count(target) == 4
    assert count(target, schema.change) == count(source, schema.change) + 1


def test_a_row_that_is_another_is_refused_by_its_id(source: Engine, target: Engine) -> None:
    file = written(source)
    read_in(target, file)
    with write_transaction(target) as connection:
        entry = connection.execute(schema.entry.select().limit(1)).mappings().one()
        name = entry["request_id"]
        change = update(schema.entry).where(schema.entry.c.request_id == name)
        connection.execute(change.values(cost_pusd=1, reason="other"))
    with pytest.raises(ImportRefused, match=rf"entry {name}: .* \(reason, cost_pusd\)"):
        read_in(target, file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 2: this is no JSON object"),
        (b"[]", "line 2: this is no JSON object"),
        (b'{"table": "entry", "row": {}}', "line 2: this is no row of the ledger"),
        (b'{"table": "passwords", "row": {}}', "line 2: this is no row of the ledger"),
        (b'{"row": 1}', "line 2: this is no row of the ledger"),
    ],
)
def test_a_line_that_is_no_row_is_refused_by_its_number(
    source: Engine, line: bytes, said: str
) -> None:
    file = written(source)
    with pytest.raises(ImportRefused, match=said):
        read_in(source, [file[0], line, *file[1:]])


def test_a_file_that_is_none_or_of_another_schema_is_refused(source: Engine) -> None:
    for first, said in (
        (b"", "no JSON"),
        (b'{"a": 1}', "no file of `gateway ledger export`"),
        (
            b'{"ledger": 1, "schema": "0001"}',
            "of schema 0001, the database of .* `gateway migrate`",
        ),
    ):
        with pytest.raises(ImportRefused, match=said):
            read_in(source, [first])
    with pytest.raises(ImportRefused, match="no JSON"):
        read_in(source, [])


def test_a_file_that_was_cut_is_known_and_can_be_finished(source: Engine, target: Engine) -> None:
    file = written(source)
    for cut in (file[:-1], file[:-2], [*file[:-2], file[-1]]):
        with pytest.raises(ImportRefused, match="ends early"):
            read_in(target, cut)
    read_in(target, file)
    assert everything(target) == everything(source)


def test_batches_are_of_a_table_each(
    source: Engine, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "BATCH_ROWS_MAX", 2)
    done = read_in(target, written(source))
    assert done.written["entry"] == 3
    assert everything(target) == everything(source)


def test_a_span_is_of_entries_and_their_adjustments(source: Engine) -> None:
    found = rows(
        source, ("entry", "adjustment", "tenant"), since_us=AT_US + 1, until_us=AT_US + 2 * DAY_US
    )
    assert [(table.name, row.get("created_at_us")) for table, row in found] == [
        ("entry", AT_US + DAY_US),
        ("adjustment", None),
        ("tenant", AT_US),
        ("tenant", AT_US),
    ]


def test_a_line_has_all_columns_as_they_are(source: Engine) -> None:
    said = [json.loads(line) for line in lines(source, rows(source, ("entry", "api_key")))]
    entry, key = said[1], said[4]
    assert list(entry["row"]) == schema.entry.c.keys()
    assert entry["row"]["cost_pusd"] == 360_000_000
    assert entry["row"]["client_gone"] is False
    assert isinstance(key["row"]["digest"], str)
    assert said[-1] == {"rows": {"entry": 3, "api_key": 1}}


def test_reading_is_of_one_moment(source: Engine, target: Engine) -> None:
    read_in(target, written(source))
    found = rows(target, ("tenant", "entry"))
    next(found)
    post_at(target, AT_US + 5)
    assert sum(table.name == "entry" for table, _ in found) == 3
    assert count(target) == 4
