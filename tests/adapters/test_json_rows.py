"""Rows as one parameter, by the names of their columns."""

import json

import pytest

from gateway.adapters import schema
from gateway.adapters.json_rows import records, usage_added


def test_a_row_has_its_columns_names() -> None:
    (row,) = json.loads(records(schema.adjustment, [("r", "late_truth", -4, 7, "why", None, "[]")]))
    assert (row["request_id"], row["delta_pusd"], row["price_version"]) == ("r", -4, None)
    assert list(row) == schema.adjustment.columns.keys()


def test_a_row_of_another_table_is_none() -> None:
    with pytest.raises(ValueError, match="shorter"):
        records(schema.adjustment, [("r", "late_truth")])


def test_every_count_of_an_hour_is_added() -> None:
    counts = [column.name for column in schema.usage_hour.columns if not column.primary_key]
    assert all(f"{name} = usage_hour.{name} + excluded.{name}" in usage_added() for name in counts)
