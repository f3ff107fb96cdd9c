"""The whole record as lines of JSON, and back: to move it to another database, or to keep it.

A first line says of which schema it is, then comes a line a row with all its columns as they are
(money in picodollars, time in Unix microseconds, bytes in base64), and a last line has the counts,
so that a file that was cut off is known. Reading is of one moment, whatever is written meanwhile.
Writing is done again without harm: a row that is there already stays, and must be the same.
"""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, LargeBinary, Select, Table, func, select, text, tuple_

from gateway.adapters import admin_schema, migrate, schema
from gateway.adapters.database import insert_into, write_transaction

TABLES = tuple(admin_schema.metadata.tables)
FORMAT = 1
BATCH_ROWS_MAX = 500

Record = dict[str, Any]


class ImportRefused(Exception):
    """A file, or a row of it, that cannot be written; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Rows by table: those that were written, and those that had been there."""

    written: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)


def rows(
    engine: Engine,
    names: Collection[str] = TABLES,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
) -> Iterator[tuple[Table, Record]]:
    """Every row of these tables; of entries and their adjustments those admitted in the span."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
            for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {limit} = 0")  # who reads may be slow
        for name in names:
            table = admin_schema.metadata.tables[name]
            query = _within(table, since_us, until_us)
            found = connection.execution_options(yield_per=BATCH_ROWS_MAX).execute(query)
            for row in found.mappings():
                yield table, {str(column): value for column, value in row.items()}


def lines(engine: Engine, given: Iterable[tuple[Table, Record]]) -> Iterator[bytes]:
    """The rows as lines of a file, with its first and its last."""
    encode = msgspec.json.Encoder().encode
    yield encode({"ledger": FORMAT, "schema": migrate.head(engine)})
    count: Counter[str] = Counter()
    for table, row in given:
        count[str(table.name)] += 1
        yield encode({"table": str(table.name), "row": row})
    yield encode({"rows": dict(count)})


def columns(name: str) -> list[str]:
    """A table's, in the order of `cells`."""
    return [column.name for column in admin_schema.metadata.tables[name].c]


def cells(row: Record) -> list[str | int | None]:
    """A row for spreadsheets, which know neither bytes nor Python's words."""
    return [_cell(value) for value in row.values()]


def read_in(engine: Engine, given: Iterable[bytes]) -> Imported:
    """Write the lines of a file. Raises ImportRefused; what was written by then stays."""
    done = Imported()
    numbered = enumerate(given, start=1)
    _check_head(engine, next(numbered, (1, b""))[1])
    batch: list[Record] = []
    at: Table | None = None
    for number, line in numbered:
        said = _decoded(number, line)
        if "rows" in said:
            break
        table, row = _row(number, said)
        if at is not None and (table is not at or len(batch) == BATCH_ROWS_MAX):
            _write(engine, at, batch, done)
            batch = []
        at = table
        batch.append(row)
    else:
        said = {"rows": None}
    if at is not None:
        _write(engine, at, batch, done)
    _advance_numbers(engine)
    if said["rows"] != dict(done.written + done.present):
        raise ImportRefused(
            "the file ends early: what it had is written; import it again when it is whole"
        )
    return done


def _cell(value: object) -> str | int | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, int | None) else str(value)


def _within(table: Table, since_us: int | None, until_us: int | None) -> Select[Any]:
    query = select(table)
    entry = schema.entry.c
    spans = []
    if since_us is not None:
        spans.append(entry.created_at_us >= since_us)
    if until_us is not None:
        spans.append(entry.created_at_us < until_us)
    if spans and table is schema.adjustment:
        return query.where(table.c.request_id.in_(select(entry.request_id).where(*spans)))
    return query.where(*spans) if table is schema.entry else query


def _check_head(engine: Engine, line: bytes) -> None:
    said = _decoded(1, line)
    if said.get("ledger") != FORMAT:
        raise ImportRefused("line 1: this is no file of `gateway ledger export`")
    present = migrate.head(engine)
    if said.get("schema") != present:
        raise ImportRefused(
            f"line 1: the file is of schema {said.get('schema')}, the database of {present}: "
            "run `gateway migrate` where the file comes from, and export again"
        )


def _decoded(number: int, line: bytes) -> Record:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        raise ImportRefused(f"line {number}: this is no JSON object; is the file whole?") from None


def _row(number: int, said: Record) -> tuple[Table, Record]:
    table = admin_schema.metadata.tables.get(str(said.get("table")))
    row = said.get("row")
    if table is None or not isinstance(row, dict) or row.keys() != set(table.c.keys()):
        raise ImportRefused(f"line {number}: this is no row of the ledger")
    for column in table.c:
        if isinstance(column.type, LargeBinary) and row[column.name] is not None:
            row[column.name] = base64.b64decode(row[column.name])
    return table, row


def _write(engine: Engine, table: Table, batch: Sequence[Record], done: Imported) -> None:
    key = list(table.primary_key)
    statement = insert_into(table, engine.dialect).on_conflict_do_nothing().returning(*key)
    with write_transaction(engine) as connection:
        fresh = {tuple(row) for row in connection.execute(statement, batch)}
        rest = [row for row in batch if _key(table, row) not in fresh]
        _check_same(connection, table, rest)
    done.written[table.name] += len(fresh)
    done.present[table.name] += len(rest)


def _check_same(connection: Connection, table: Table, given: Sequence[Record]) -> None:
    """Raise ImportRefused for a row that is not what the database has under its key."""
    if not given:
        return
    keys = [_key(table, row) for row in given]
    query = select(table).where(tuple_(*table.primary_key).in_(keys))
    present = {_key(table, row): dict(row) for row in connection.execute(query).mappings()}
    for key, row in zip(keys, given, strict=True):
        found = present.get(key, {})
        if differing := [name for name, value in row.items() if found.get(name) != value]:
            raise ImportRefused(
                f"{table.name} {', '.join(map(str, key))}: the database has another row under this "
                f"id ({', '.join(differing)}); import into a database that has had no traffic"
            )


def _key(table: Table, row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _advance_numbers(engine: Engine) -> None:
    """What PostgreSQL numbers by itself goes on behind what was written."""
    if engine.dialect.name != "postgresql":
        return
    with write_transaction(engine) as connection:
        for table in admin_schema.metadata.tables.values():
            column = table.autoincrement_column
            if column is None:
                continue
            name = connection.scalar(
                text("SELECT pg_get_serial_sequence(:table, :name)"),
                {"table": table.name, "name": column.name},
            )
            newest = connection.scalar(select(func.max(column)))
            if name is not None and newest is not None:
                at = text(f"SELECT setval(:name, greatest(:newest, last_value)) FROM {name}")  # noqa: S608
                connection.execute(at, {"name": name, "newest": newest})
