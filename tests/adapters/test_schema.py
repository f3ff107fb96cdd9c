"""Rules that every table keeps."""

import pytest
from sqlalchemy import BigInteger, Engine, insert
from sqlalchemy.exc import IntegrityError

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.rows import entry_row, hold_row
from tests import builders


def test_money_and_time_have_64_bits() -> None:
    columns = [
        column
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.name.endswith(("_us", "_pusd", "_tokens"))
    ]
    assert len(columns) > 20
    assert {type(column.type) for column in columns} == {BigInteger}


def test_the_database_refuses_a_negative_amount(engine: Engine) -> None:
    hold = dict(
        zip(
            schema.hold.c.keys(),
            hold_row(builders.hold(hold_pusd=-1), owner_id="me"),
            strict=True,
        )
    )
    entry = dict(
        zip(schema.entry.c.keys(), entry_row(builders.exchange(cost_pusd=-1)), strict=True)
    )
    for table, row in ((schema.hold, hold), (schema.entry, entry)):
        with pytest.raises(IntegrityError), write_transaction(engine) as connection:
            connection.execute(insert(table).values(row))
