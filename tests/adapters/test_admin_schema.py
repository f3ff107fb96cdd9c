"""The tables of administration are among all tables: what migrates and compares sees them."""

from gateway.adapters import admin_schema, schema


def test_they_are_among_all_tables() -> None:
    tables = schema.metadata.tables
    assert tables["admin_token"] is admin_schema.admin_token
    assert tables["audit"] is admin_schema.audit
